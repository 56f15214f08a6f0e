"""Together: every bridge of a room shows a moment the same time after it was played. Pure: time is a parameter.

Sound reaches each bridge at another time. Each knows when it was played: when it would have come without jitter, less
its way through the network. All wait for the one that needs longest, and show a hop of sound, which ends on a tick of
the room's, in the frame of the same later tick.
"""

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from jambridge.units import LocalSeconds

When = Literal["instant", "together"]

TICK_S = 1 / 60  # of room time, in every bridge of the room
MOST_S = 14.5 * TICK_S
"""Longer is not waited: whoever needs more shows when it can."""
FALLS_AFTER_S = 10.0
LATEST = 600
"""Of so many moments it is known how late they came: ten seconds."""
_NEARLY_ALL = 0.98
_SAME = 1e-6  # of a tick, for float arithmetic: what was rounded up stays


@dataclass(frozen=True, slots=True)
class Way:
    """How long the sound of source `id` is on its way."""

    id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Timing:
    """`delay_s`: what is heard is shown so long after it was played; None: at once."""

    delay_s: float | None = None
    ways: tuple[Way, ...] = ()

    def way_s(self, source: str) -> float:
        return next((way.seconds for way in self.ways if way.id == source), 0.0)


def rounded_s(needed_s: float) -> float:
    """Half a tick less than whole ticks, so that no clock's error moves a hop to another frame; at most MOST_S."""
    return min((math.ceil(needed_s / TICK_S + 0.5 - _SAME) - 0.5) * TICK_S, MOST_S)


class Need:
    """The delay that one bridge needs: up at once, down after a while."""

    def __init__(self) -> None:
        self._wanted: deque[tuple[LocalSeconds, float]] = deque()

    def follow(self, needed_s: float, now: LocalSeconds) -> float:
        """The delay, rounded."""
        wanted_s = rounded_s(needed_s)
        while self._wanted and self._wanted[-1][1] <= wanted_s:
            self._wanted.pop()
        self._wanted.append((now, wanted_s))
        while now - self._wanted[0][0] > FALLS_AFTER_S:
            self._wanted.popleft()
        return self._wanted[0][1]


def nearly_most(latest_s: Collection[float]) -> float | None:
    """What all but a fiftieth kept to."""
    ordered = sorted(latest_s)
    return ordered[int(_NEARLY_ALL * len(ordered))] if ordered else None


def timing(own_s: float, others_s: float | None, ways_s: Mapping[str, float]) -> Timing:
    """What is in force where the others ask for `others_s`, the longest of theirs."""
    delay_s = min(max(own_s, others_s or 0.0), MOST_S)
    return Timing(delay_s, tuple(Way(source, round(way_s, 3)) for source, way_s in sorted(ways_s.items())))
