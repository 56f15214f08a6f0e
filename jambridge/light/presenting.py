"""Together: every bridge of a room shows a moment the same time after it was played. Pure: time is a parameter.

Sound reaches each bridge at another time. Each knows when it was played: when it would have come without jitter, less
its way through the network. All wait for the one that needs longest, and show a hop of sound, which ends on a tick of
the room's, in the frame of the same later tick. What a bridge needs counts from a moment of room time that it says
beforehand: all change their delay at the same hop.
"""

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from jambridge.units import LocalSeconds

When = Literal["instant", "together"]

TICK_S = 1 / 60  # of room time, in every bridge of the room
MOST_S = 14.5 * TICK_S
"""Longer is not waited: whoever needs more shows when it can."""
FALLS_AFTER_S = 10.0
LATEST = 600
"""Of so many moments it is known how late they came: ten seconds."""
SAID_BEFORE_S = 1.2
"""So long before a delay comes into force it is said: by then it is said twice and everybody has looked."""
_NEARLY_ALL = 0.99
_SAME = 1e-4  # of a tick, for float arithmetic and what is told in microseconds: what was rounded up stays


@dataclass(frozen=True, slots=True)
class Delay:
    """One bridge can show a moment `seconds` after it was played; that counts for what is played from `since_s` on."""

    seconds: float
    since_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Way:
    """How long the sound of source `id` is on its way."""

    id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Timing:
    """`delay_s`: what is heard is shown so long after it was played; None: at once.

    What was played before `since_s`, of room time, is shown `before_s` after it, where there is one.
    """

    delay_s: float | None = None
    ways: tuple[Way, ...] = ()
    since_s: float = 0.0
    before_s: float | None = None

    def at(self, played_s: float) -> float | None:
        """The delay of what was played then."""
        return self.delay_s if self.before_s is None or played_s >= self.since_s else self.before_s

    def sooner(self, lead_s: float) -> "Timing":
        """Both delays shorter."""
        delay_s = None if self.delay_s is None else self.delay_s - lead_s
        return replace(self, delay_s=delay_s, before_s=None if self.before_s is None else self.before_s - lead_s)

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
    """What all but a hundredth kept to."""
    ordered = sorted(latest_s)
    return ordered[int(_NEARLY_ALL * len(ordered))] if ordered else None


def said_at(room_s: float) -> float:
    """From when a delay counts that is said now: between two ticks, so that all have the same hops before it."""
    return (math.floor((room_s + SAID_BEFORE_S) / TICK_S) + 0.5) * TICK_S


def timing(before: Timing, delays: Collection[Delay], ways_s: Mapping[str, float], room_s: float) -> Timing:
    """What comes into force behind `before`: the longest of all, from when the last of them counts.

    A moment further ahead than one said now would be is nobody's clock but its own.
    """
    ways = tuple(Way(source, round(way_s, 3)) for source, way_s in sorted(ways_s.items()))
    delay_s = min(max((one.seconds for one in delays), default=0.0), MOST_S)
    if before.delay_s is None:
        return Timing(delay_s, ways)
    if delay_s == before.delay_s:
        is_beyond = before.since_s > said_at(room_s)  # the room has another clock now
        return replace(before, ways=ways, since_s=0.0 if is_beyond else before.since_s)
    since_s = min(max((one.since_s for one in delays), default=0.0), said_at(room_s))
    return Timing(delay_s, ways, since_s, before.at(room_s))
