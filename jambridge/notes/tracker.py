"""From one frame's logits to notes that begin and end. Pure."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.features import PITCHES

Threshold = Literal["sensitive", "normal", "strict"]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A note begins above `begin` for two frames or above `at_once` for one, and ends below `end` for two."""

    begin: float
    at_once: float
    end: float


# Chosen on the validation set of `scripts/train-notes`.
OPERATING_POINTS: dict[Threshold, OperatingPoint] = {
    "sensitive": OperatingPoint(begin=0.5, at_once=0.5, end=-0.5),
    "normal": OperatingPoint(begin=1.0, at_once=1.5, end=0.0),
    "strict": OperatingPoint(begin=2.0, at_once=3.0, end=0.0),
}


class Tracker:
    """Hysteresis in level and time over `streams` signals."""

    def __init__(self, streams: int, point: OperatingPoint) -> None:
        self._point = point
        self._sounding = np.zeros((streams, PITCHES), bool)
        self._above = np.zeros((streams, PITCHES), bool)
        self._below = np.zeros((streams, PITCHES), bool)

    def follow(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which pitches sound, of logits (OUTPUTS, streams, PITCHES); shape (streams, PITCHES)."""
        sounds = logits[0]
        above, below = sounds > self._point.begin, sounds < self._point.end
        begun = (above & self._above) | (sounds > self._point.at_once)
        ended = below & self._below
        self._above, self._below = above, below
        self._sounding = (self._sounding | begun) & ~ended
        return self._sounding
