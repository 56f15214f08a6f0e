"""A box whose loudspeaker may be heard by microphones: its own, and through them the others'."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from jambridge.audio.mix.howl import HowlGuard, State
from jambridge.audio.mix.mixer import Mixer
from jambridge.audio.mix.tonality import Ear
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds

Mono = NDArray[np.float64]

MUSIC = Path(__file__).parents[1] / "fixtures" / "music"
BLOCK = 128
BLOCKS_A_LOOK = SAMPLE_RATE_HZ // BLOCK // 10
LOOK_S = BLOCKS_A_LOOK * BLOCK / SAMPLE_RATE_HZ
_RESPONSE = 2_400


def piece(name: str, peak: float) -> Mono:
    """A fixture, its largest sample at `peak`."""
    sound, _ = soundfile.read(MUSIC / f"{name}.flac")
    mono: Mono = sound / np.abs(sound).max() * peak
    return mono


def room(seed: int) -> Mono:
    """The response of a small room over 50 ms, as uneven as real ones; its largest gain at any frequency is 1."""
    response = np.random.default_rng(seed).standard_normal(_RESPONSE) * np.exp(-np.arange(_RESPONSE) / 480)
    response[0] = 4.0
    dull: Mono = np.convolve(response, [0.25, 0.5, 0.25])[:_RESPONSE]  # loudspeakers lose the treble
    return dull / float(np.abs(np.fft.rfft(dull, 1 << 16)).max())


class Loop:
    """What was played comes back after `delay_s`, `gain` times as loud at the frequency the room favours most."""

    def __init__(self, gain: float, delay_s: float, seed: int) -> None:
        self._response = gain * room(seed)
        self._delay = round(delay_s * SAMPLE_RATE_HZ)
        self._played = np.zeros(self._delay + _RESPONSE)

    def back(self) -> Mono:
        """The next block that comes back."""
        return np.convolve(self._played[: _RESPONSE - 1 + BLOCK], self._response, "valid")

    def open(self) -> None:
        """The microphone is taken away."""
        self._response[:] = 0

    def play(self, block: Mono) -> None:
        self._played = np.concatenate([self._played[BLOCK:], block])


@dataclass(frozen=True, slots=True)
class Look:
    at_s: float
    state: State
    gain: float
    played_dbfs: float
    """RMS over the tenth of a second."""


class Box:
    """The mixer, the guard and what both hear."""

    def __init__(self) -> None:
        self.guard = HowlGuard()
        self._mix_ear, self._input_ear = Ear(), Ear()
        self._mixer = Mixer(listen=self._mix_ear.hear)

    def play(self, incoming: Mono) -> Mono:
        out = np.empty((BLOCK, 2), np.float32)
        self._mixer.mix({0: _stereo(incoming)}, out)
        return out[:, 0].astype(np.float64)

    def hear(self, line_in: Mono) -> None:
        self._input_ear.hear(_stereo(line_in))

    def look(self, now: LocalSeconds) -> None:
        self.guard.hear_input(*self._input_ear.spectrum().strongest(), now)
        self.guard.look(self._mix_ear.spectrum(), now)
        self._mixer.ducking = self.guard.gain


def story(incoming: Mono, line_in: Callable[[Mono, Mono], Mono], loop: Loop | None = None) -> Iterator[Look]:
    """What a box does while `incoming` comes from the others.

    Args:
        incoming: without what comes back through `loop`, which has everything cut off at full scale.
        line_in: gets blocks of what comes in and of what is played, gives what the line-in hears.
        loop: closed after a second.
    """
    box, powers = Box(), []
    for index, block in enumerate(incoming[: len(incoming) // BLOCK * BLOCK].reshape(-1, BLOCK)):
        now = LocalSeconds(index * BLOCK / SAMPLE_RATE_HZ)
        closed = loop is not None and now >= 1.0
        comes = np.clip(block + loop.back(), -1, 1) if loop is not None and closed else block
        played = box.play(comes)
        box.hear(line_in(comes, played))
        if loop is not None:
            loop.play(played)
        powers.append(float(np.mean(played**2)))
        if len(powers) == BLOCKS_A_LOOK:
            box.look(now)
            yield Look(now, box.guard.state, box.guard.gain, float(10 * np.log10(np.mean(powers) + 1e-12)))
            powers.clear()


def _stereo(mono: Mono) -> NDArray[np.float32]:
    return np.column_stack([mono, mono]).astype(np.float32)
