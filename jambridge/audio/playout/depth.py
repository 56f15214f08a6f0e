"""How much later than it was sent sound is to be played, so that enough packets are there in time. Pure.

An *offset* is the frame of the card at which a packet plays minus its timestamp, in seconds: it has no meaning by
itself, but differences have. Each packet tells the offset at which it would just have been in time: that of the
callback that took it. That covers what the network and what the output's callbacks do to it, together.
"""

import enum
from bisect import bisect_left, insort
from collections import deque
from typing import NamedTuple

from jambridge.units import LocalSeconds

WINDOW_S = 10.0
CAP_S = 0.2
"""Sound is never held back by more: who plays with others can do nothing with it."""
GUARD_S = 0.00025
"""How much more than needed is aimed at: the pace does not hold an offset to the frame."""
_MOST = 4096  # packets of the window: frames of 2.5 ms, the shortest, are 4000


class Safety(enum.StrEnum):
    """What is preferred: sound without gaps, or soon."""

    SAFE = "safe"
    NORMAL = "normal"
    FAST = "fast"


class _Aim(NamedTuple):
    in_time: float  # share of the packets
    margin_s: float  # so much later might each have come


_AIMS = {
    Safety.SAFE: _Aim(0.9995, 0.00175),
    Safety.NORMAL: _Aim(0.999, 0.00075),  # 0.998 on a quiet machine: 0.12 % made up instead of 0.06, nothing sooner
    Safety.FAST: _Aim(0.99, 0.00075),
}


class Depth:
    """A quantile of what was needed in the last ten seconds. Grows with the packet that shows it."""

    def __init__(self, safety: Safety) -> None:
        self._aim = _AIMS[safety]
        self.margin_s = self._aim.margin_s
        """How much later than it did a packet is taken to have come."""
        self._recent: deque[tuple[LocalSeconds, float]] = deque()
        self._sorted: list[float] = []

    def note(self, offset_s: float, now: LocalSeconds) -> None:
        """A packet would have been in time at `offset_s`."""
        while self._recent and (self._recent[0][0] < now - WINDOW_S or len(self._recent) >= _MOST):
            _, old = self._recent.popleft()
            del self._sorted[bisect_left(self._sorted, old)]
        self._recent.append((now, offset_s))
        insort(self._sorted, offset_s)

    def clear(self) -> None:
        self._recent.clear()
        self._sorted.clear()

    @property
    def target_s(self) -> float:
        """The offset to play at. Nothing noted, no target: ask after the first `note`."""
        return min(self._needed_s + GUARD_S, self._soonest_s + CAP_S)

    @property
    def middle_s(self) -> float:
        """Half of the packets need no more. Ask after the first `note`."""
        return self._sorted[len(self._sorted) // 2]

    @property
    def spread_s(self) -> float:
        """From the packets that need the least to the target: how long those wait. 0 while nothing is known."""
        return self.target_s - self._soonest_s if self._sorted else 0.0

    @property
    def jitter_s(self) -> float:
        """From the middle of the packets to the last that shall be in time; any thread may ask."""
        needed = self._sorted.copy()
        return needed[self._last_in_time(needed)] - needed[len(needed) // 2] if needed else 0.0

    @property
    def _soonest_s(self) -> float:
        return self._sorted[len(self._sorted) // 50]

    @property
    def _needed_s(self) -> float:
        return self._sorted[self._last_in_time(self._sorted)]

    def _last_in_time(self, needed: list[float]) -> int:
        return int(self._aim.in_time * len(needed))
