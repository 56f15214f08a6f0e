"""A musician, a network and a sound card in simulated time: every clock is a number."""

import functools
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from jambridge.audio.opus import Encoder
from jambridge.audio.playout.arrivals import Packet
from jambridge.audio.playout.buffer import Playout
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds

Stereo = NDArray[np.float32]
Pull = tuple[float, int]
Delay = Callable[[random.Random, float], float | None]
"""How long a packet travels that is sent at that time, in seconds; None if it is lost."""
MUSIC = Path(__file__).parents[1] / "fixtures" / "music"
PIECES = ("chord_piano", "bach_guitar", "mono_violin")
START_S = 1000.0  # of the clock of who listens


def lan(rng: random.Random, _now: float) -> float | None:
    return rng.uniform(0.0002, 0.0006)


def loses(share: float, delay: Delay = lan) -> Delay:
    return lambda rng, now: None if rng.random() < share else delay(rng, now)


def loses_in_bursts(share: float, delay: Delay = lan, mean_packets: float = 4.0) -> Delay:
    """The Gilbert model: in the bad state everything is lost."""
    bad = False

    def travels(rng: random.Random, now: float) -> float | None:
        nonlocal bad
        leaves = 1 / mean_packets if bad else share / (1 - share) / mean_packets
        bad = bad != (rng.random() < leaves)
        return None if bad else delay(rng, now)

    return travels


def jitter(rng: random.Random, _now: float) -> float | None:
    """30 +- 20 ms each by itself: with packets of 10 ms, every third overtakes another."""
    return rng.uniform(0.010, 0.050)


def stalls(every_s: float, for_s: float, delay: Delay = lan) -> Delay:
    """Now and then nothing comes through for a while, then everything at once."""

    def travels(rng: random.Random, now: float) -> float | None:
        through = delay(rng, now)
        return None if through is None else max(through, for_s - now % every_s if now > every_s else 0.0)

    return travels


def music(piece: str, seconds: float, begin_s: float = 0.0) -> Stereo:
    sound, _ = soundfile.read(MUSIC / f"{piece}.flac", dtype="float32")
    mono = sound[int(begin_s * SAMPLE_RATE_HZ) :][: int(seconds * SAMPLE_RATE_HZ)]
    return np.repeat(mono[:, np.newaxis], 2, axis=1)


def encoded(sound: Stereo, frames: int = 480, bit_rate: int = 128_000) -> list[bytes]:
    encoder = Encoder(bit_rate)
    whole = len(sound) // frames * frames
    return [encoder.encode(frame) for frame in sound[:whole].reshape(-1, frames, 2)]


@functools.cache
def some_music(frames: int = 480) -> tuple[bytes, ...]:
    return tuple(encoded(music("bach_guitar", 5.0), frames))


def packets(
    payloads: Sequence[bytes], seconds: float, delay: Delay = lan, *, frames: int = 480, ppm: float = 0.0, seed: int = 0
) -> list[Packet]:
    """What arrives of a stream that repeats `payloads`, in the order in which it does; `ppm`: of the sender's card."""
    rng = random.Random(seed)
    arriving: list[Packet] = []
    for index in range(int(seconds * SAMPLE_RATE_HZ / frames)):
        sent_s = (index + 1) * frames / SAMPLE_RATE_HZ / (1 + ppm * 1e-6)
        travels = delay(rng, sent_s)
        if travels is not None:
            sequence, timestamp = (index + 65_000) & 0xFFFF, (index * frames + 0xFFFF_0000) & 0xFFFF_FFFF
            at = LocalSeconds(START_S + sent_s + travels)
            arriving.append(Packet(sequence, timestamp, at, payloads[index % len(payloads)]))
    return sorted(arriving, key=lambda packet: packet.arrived_at)


def on_one_grid(seconds: float, frames: int, callback: int, travels_s: float) -> tuple[list[Packet], Iterator[Pull]]:
    """Both cards call back at the same moments; a packet leaves with the callback that fills it."""

    def waits(_rng: random.Random, now: float) -> float:
        return -round(now * SAMPLE_RATE_HZ) % callback / SAMPLE_RATE_HZ + travels_s

    moments = ((START_S + index * callback / SAMPLE_RATE_HZ, callback) for index in itertools.count())
    return (
        packets([bytes(frames // 48)], seconds, waits, frames=frames),
        itertools.takewhile(lambda pull: pull[0] < START_S + seconds, moments),
    )


def steady(seconds: float, frames: int = 128) -> Iterator[tuple[float, int]]:
    """A card's callbacks: when, how many frames."""
    for index in range(int(seconds * SAMPLE_RATE_HZ / frames)):
        yield START_S + 0.0011 + index * frames / SAMPLE_RATE_HZ, frames


def in_bursts(seconds: float, frames: int = 128, together: int = 4) -> Iterator[tuple[float, int]]:
    """PulseAudio: several callbacks in a row, then a pause."""
    for at, count in steady(seconds, frames * together):
        yield from ((at + n * 5e-5, frames) for n in range(together) if count)


@dataclass
class Heard:
    """What came out, if kept, and how it was at every pull."""

    times_s: list[float] = field(default_factory=list)
    depths_ms: list[float] = field(default_factory=list)
    targets_ms: list[float] = field(default_factory=list)
    blocks: list[Stereo] = field(default_factory=list)

    @property
    def sound(self) -> Stereo:
        return np.concatenate(self.blocks)

    def depths(self, begin_s: float, end_s: float = 1e9) -> NDArray[np.float64]:
        times, depths = np.array(self.times_s), np.array(self.depths_ms)
        return depths[(times >= begin_s) & (times < end_s)]

    def slope_ms_a_minute(self, begin_s: float) -> float:
        times = np.array(self.times_s)
        late = times >= begin_s
        return float(np.polyfit(times[late] / 60, np.array(self.depths_ms)[late], 1)[0])


def listen(
    playout: Playout, arriving: Iterable[Packet], pulls: Iterable[tuple[float, int]], *, keep: bool = False
) -> Heard:
    """Run both against each other; the depth is noted ten times a second."""
    heard, waiting = Heard(), iter(arriving)
    packet = next(waiting, None)
    for index, (now, frames) in enumerate(pulls):
        while packet is not None and packet.arrived_at <= now:
            playout.put(packet)
            packet = next(waiting, None)
        block = playout.pull(frames, LocalSeconds(now))
        assert block.shape == (frames, 2)
        if keep:
            heard.blocks.append(block)
        if not index % 37:
            report = playout.report()
            heard.times_s.append(now - START_S)
            heard.depths_ms.append(report.depth_ms)
            heard.targets_ms.append(report.target_ms)
    return heard


class Hum:
    """A decoder that costs nothing, for tests of time: payloads are as many bytes as the packet has milliseconds."""

    _SOUND = np.full((6000, 2), 0.5, np.float32)

    def decode(self, payload: bytes) -> Stereo:
        return self._SOUND[: 48 * len(payload)]

    def conceal(self, frames: int) -> Stereo:
        return self._SOUND[:frames]

    def recover(self, following: bytes, frames: int) -> Stereo:
        return self.conceal(frames)

    def reset(self) -> None:
        pass
