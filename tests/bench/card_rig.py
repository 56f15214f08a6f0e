"""How long sound takes from the line-in of one PulseAudio card to the line-out of another, to two milliseconds.

Both sockets are recorded. When a recording began is the earliest that its blocks allow: they may come late, but early
by no more than a block, and both cards' clocks are the system's own.
"""

import os
import selectors
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO

import numpy as np
from numpy.typing import NDArray

from tests.bench.jack_rig import CLICK_S, LONGEST_S, Heard, click, find, plan
from tests.fakes.sound_card import RATE_HZ, SoundCard

BLOCK_MS = 2  # what the recorders ask for, and so the cards' own: a null sink renders as far ahead as it is allowed to
LEAD_S = 1.0
SEARCH_S = 0.1

Samples = NDArray[np.float32]


@dataclass
class Ear:
    """One socket as it is recorded, mono."""

    pipe: IO[bytes]
    blocks: list[bytes] = field(default_factory=list)
    frames: int = 0
    began_s: float = float("inf")

    def read(self) -> None:
        block = os.read(self.pipe.fileno(), 1 << 16)
        self.frames += len(block) // 4
        self.blocks.append(block)
        self.began_s = min(self.began_s, time.monotonic() - self.frames / RATE_HZ)

    @property
    def samples(self) -> Samples:
        return np.frombuffer(b"".join(self.blocks), "<f4")


def measure(source: SoundCard, sink: SoundCard, seconds: float) -> Heard:
    """Play clicks into `source` for `seconds`; what `sink` plays comes so much later."""
    frames = int(seconds * RATE_HZ)
    clicks = [position for position, _ in plan(frames, 1, RATE_HZ)]
    with _recording(source, "in") as heard, _recording(sink, "out") as played:
        _listen((heard, played), LEAD_S)
        with source.hearing(_sound(clicks, frames)):
            _listen((heard, played), seconds + LEAD_S)
    first = _first(heard.samples) - clicks[0]
    ways = [_way(heard, played, first + position) for position in clicks]
    scales = [scale for _, scale in filter(None, ways)]
    return Heard(
        np.array(clicks) / RATE_HZ,
        np.array([way[0] if way else np.nan for way in ways]),
        20 * float(np.log10(np.median(scales))) if scales else float("nan"),
    )


def _sound(clicks: list[int], frames: int) -> Samples:
    sound = np.zeros(frames, np.float32)
    template = click(RATE_HZ)
    for position in clicks:
        sound[position : position + len(template)] = template
    return sound


def _first(sound: Samples) -> int:
    """Where the first click is in what the source heard."""
    loud = int(np.argmax(np.abs(sound) > 0.05))
    found = find(click(RATE_HZ), sound[max(loud - len(click(RATE_HZ)), 0) :][: int(SEARCH_S * RATE_HZ)])
    assert found is not None, "the source hears no clicks"
    return max(loud - len(click(RATE_HZ)), 0) + found[0]


def _way(heard: Ear, played: Ear, position: int) -> tuple[float, float] | None:
    """Delay in ms and level of the click at `position` of what was heard."""
    sent_s = heard.began_s + position / RATE_HZ
    start = max(int((sent_s - played.began_s - SEARCH_S / 10) * RATE_HZ), 0)
    window = played.samples[start : start + int((LONGEST_S + CLICK_S) * RATE_HZ)]
    found = find(click(RATE_HZ), window) if len(window) > CLICK_S * RATE_HZ else None
    return found and (1000 * (played.began_s + (start + found[0]) / RATE_HZ - sent_s), found[1])


@contextmanager
def _recording(card: SoundCard, socket: str) -> Iterator[Ear]:
    with ExitStack() as stack:
        recorder = subprocess.Popen(
            ["parec", "--server", card.address, "--device", f"{socket}.monitor", "--raw", "--format=float32le",
             f"--rate={RATE_HZ}", "--channels=1", f"--latency-msec={BLOCK_MS}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        stack.enter_context(recorder)
        stack.callback(recorder.kill)
        assert recorder.stdout is not None
        yield Ear(recorder.stdout)


def _listen(ears: tuple[Ear, ...], seconds: float) -> None:
    end_s = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for ear in ears:
            selector.register(ear.pipe, selectors.EVENT_READ, ear)
        while (left_s := end_s - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                key.data.read()
