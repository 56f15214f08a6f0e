"""Chirps, and when they are heard again: to the sample, by correlation. Pure.

Two streams of one card know nothing of each other but when their blocks change hands: by the middle of many callbacks,
which come now sooner, now later, a delay between the two is known as exactly as one within a stream.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.5
CHIRP_S = 0.004
REACH_S = 0.45
"""The longest delay that is looked for."""
APART_S = (0.5, 0.6)
"""Between chirps: no echo is taken for another's, and they fall everywhere within a block or a packet."""

_LOW_HZ, _HIGH_HZ = 1000.0, 6000.0  # what any codec and any small loudspeaker lets through
_LIKENESS = 0.5  # of what is heard to a chirp: the cosine of the angle between the two
_QUIETEST = 0.003  # of the chirp as it was played: -50 dB
_EARLY_S = 0.005  # of a callback that came late
_NEAR_S = 0.3  # either side
_SEED = 1

Samples = NDArray[np.float32]
"""Shape (frames,)."""


class Echo(NamedTuple):
    """Where a chirp begins, in frames, and how many times as loud it is."""

    position: int
    gain: float


class Pace:
    """When a stream's frames change hands: its callbacks began with frames `positions` at `moments_s`.

    Judged by the callbacks around: a card that lost something, or stood still for a moment, is another one afterwards.
    """

    def __init__(self, positions: Sequence[int], moments_s: Sequence[float], rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self._positions = np.array(positions)
        self._moments_s = np.array(moments_s)
        self._origins_s = self._moments_s - self._positions / rate_hz

    def moment_s(self, frame: int) -> float:
        first, last = np.searchsorted(self._positions, [frame - _NEAR_S * self.rate_hz, frame + _NEAR_S * self.rate_hz])
        return float(np.median(self._origins_s[first:last])) + frame / self.rate_hz

    def frame(self, moment_s: float) -> int:
        first, last = np.searchsorted(self._moments_s, [moment_s - _NEAR_S, moment_s + _NEAR_S])
        return round((moment_s - float(np.median(self._origins_s[first:last]))) * self.rate_hz)


def chirp(rate_hz: float) -> Samples:
    """One that stands out after any codec, and correlates at one moment alone."""
    time_s = np.arange(int(CHIRP_S * rate_hz)) / rate_hz
    phase = 2 * np.pi * (_LOW_HZ * time_s + (_HIGH_HZ - _LOW_HZ) / CHIRP_S * time_s**2 / 2)
    return (LEVEL * np.sin(phase) * np.hanning(len(time_s))).astype(np.float32)


def plan(lead_s: float, seconds: float, rate_hz: float) -> tuple[Samples, list[int]]:
    """A sound with chirps after `lead_s` of silence, and where they begin; each can be heard to its end."""
    template = chirp(rate_hz)
    sound = np.zeros(int((lead_s + seconds) * rate_hz), np.float32)
    gaps_s = np.random.default_rng(_SEED).uniform(*APART_S, int(seconds / APART_S[0]) + 1)
    begins_s = lead_s + np.cumsum(gaps_s) - gaps_s[0]
    begins = [int(at * rate_hz) for at in begins_s if at + REACH_S + 2 * CHIRP_S < lead_s + seconds]
    for begin in begins:
        sound[begin : begin + len(template)] = template
    return sound, begins


def find(template: Samples, heard: Samples) -> Echo | None:
    """The loudest of `template` in `heard`, whichever way round it is connected; None where there is none."""
    if len(heard) < len(template):
        return None
    match = np.correlate(heard, template, "valid")
    position = int(np.argmax(np.abs(match)))
    energy = float(np.dot(template, template))
    around = heard[position : position + len(template)]
    gain = float(np.abs(match[position])) / energy
    likeness = gain * np.sqrt(energy / max(float(np.dot(around, around)), 1e-12))
    return Echo(position, gain) if likeness >= _LIKENESS and gain >= _QUIETEST else None


def round_trips(moments_s: Sequence[float], heard: NDArray[np.float32], into: Pace) -> list[Echo | None]:
    """Of chirps played at `moments_s`: how many frames of the input later each is heard, and how loud at most.

    Args:
        moments_s: when an output's stream handed each over.
        heard: shape (frames, channels).
        into: the input's pace.
    """
    template = chirp(into.rate_hz)
    return [_round_trip(template, into.frame(moment_s), heard) for moment_s in moments_s]


def _round_trip(template: Samples, earliest: int, heard: NDArray[np.float32]) -> Echo | None:
    begin = max(earliest - int(_EARLY_S * len(template) / CHIRP_S), 0)
    window = heard[begin : earliest + _reach(template)]
    found = [echo for channel in window.T if (echo := find(template, np.ascontiguousarray(channel)))]
    loudest = max(found, key=lambda echo: echo.gain, default=None)
    return loudest and Echo(loudest.position + begin - earliest, loudest.gain)


def circles(heard: Samples, marks: Sequence[int], rate_hz: float) -> list[Echo | None]:
    """Of chirps that go in circles, each quieter than before: the frames from the first time to the second.

    `marks` are frames of `heard` before the first time of each; it must be heard within `REACH_S`.
    """
    template = chirp(rate_hz)
    return [_circle(template, heard[mark : mark + 2 * _reach(template)]) for mark in marks]


def _circle(template: Samples, heard: Samples) -> Echo | None:
    first = find(template, heard[: _reach(template)])
    if first is None:
        return None
    begin = first.position + len(template)
    second = find(template, heard[begin : begin + _reach(template)])
    return second and Echo(second.position + len(template), second.gain / first.gain)


def _reach(template: Samples) -> int:
    return int(len(template) * REACH_S / CHIRP_S)
