"""The output card's callbacks: a card plays its frames evenly, however unevenly it asks for them. Pure."""

import math
from collections import deque
from typing import NamedTuple

from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds

STOPPED_S = 0.015
"""A callback that is later than this is late."""

_CAUGHT_UP_S = 0.1  # a sound server that calls back late has made up for it by then
_SMOOTHED_S = 1.0
_MOST = 512  # callbacks remembered: more than a second


class _Callback(NamedTuple):
    at: LocalSeconds
    first: int


class Callbacks:
    """Counts frames, from the first callback on."""

    def __init__(self) -> None:
        self.first = 0
        """Of the frames that are asked for now."""
        self.next = 0
        """The first of the next callback's."""
        self.is_late = False
        self._recent: deque[_Callback] = deque(maxlen=_MOST)
        self._seen = 0
        self._begun_at = 0.0  # when frame 0 was due
        self._late_since = math.inf

    def call(self, frames: int, now: LocalSeconds) -> int:
        """The card asks for its next `frames`.

        Returns:
            How many it has left out before, by standing still: they count as though it had played them.
        """
        left_out = self._left_out(frames, now)
        self.first = self.next + left_out
        self.next = self.first + frames
        self._recent.append(_Callback(now, self.first))
        return left_out

    def first_from(self, at: float) -> int:
        """The first frame of the first callback that is not before that time; of the next one, where all were."""
        first = self.next
        for callback in reversed(self._recent):
            if callback.at < at:
                break
            first = callback.first
        return first

    def _left_out(self, frames: int, now: LocalSeconds) -> int:
        """The card is late: either it catches up in a moment, or it stood still and all is late from now on."""
        late_s = now - self.next / SAMPLE_RATE_HZ - self._begun_at
        self.is_late = self._seen > 0 and late_s >= STOPPED_S
        if not self.is_late:
            self._late_since = math.inf
            self._seen += 1
            self._begun_at += late_s * max(min(1.0, frames / SAMPLE_RATE_HZ / _SMOOTHED_S), 1 / self._seen)
            return 0
        self._late_since = min(self._late_since, now)
        if now - self._late_since < _CAUGHT_UP_S:
            return 0
        self.is_late = False
        self._late_since = math.inf
        return round(late_s * SAMPLE_RATE_HZ)
