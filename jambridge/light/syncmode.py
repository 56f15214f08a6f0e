"""Whose colours are shown: those of what is heard here, or the host's. Pure: time is a parameter."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from jambridge.units import LocalSeconds

Wanted = Literal["auto", "local", "broadcast", "off"]
InForce = Literal["local", "broadcast", "off"]

FRESH_S = 3.0  # the host says all again every second
LATE_SHARE = 0.01
OVER_S = 10.0
WELL_S = 30.0
MISSING_S = 2.0  # sound may pause as long: a new connection takes the old one's place
_LEAST_TICKS = 60


@dataclass(frozen=True, slots=True)
class Condition:
    """How the local analysis does. `ticks` are counted since the light process started."""

    ticks: int = 0
    late_ticks: int = 0
    is_complete: bool = True
    """The sound of everyone who sends arrives."""


class SyncMode:
    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._history: deque[tuple[LocalSeconds, Condition]] = deque()
        self._incomplete_since: LocalSeconds | None = None
        self._bad_at: LocalSeconds | None = None

    def choose(self, condition: Condition, now: LocalSeconds, *, is_host: bool, host_sent_s: float) -> InForce:
        """What is in force; `host_sent_s` is how long ago the host's colours came."""
        if self.wanted == "off":
            return "off"
        self._look(condition, now)
        can_follow = not is_host and host_sent_s < FRESH_S
        if self.wanted == "broadcast":
            return "broadcast" if can_follow else "local"
        return "broadcast" if self.wanted == "auto" and can_follow and self._suffers(now) else "local"

    def asks(self, now: LocalSeconds) -> bool:
        """Whether the host's colours are wanted here, if it is another."""
        return self.wanted == "broadcast" or (self.wanted == "auto" and self._suffers(now))

    def _suffers(self, now: LocalSeconds) -> bool:
        return self._bad_at is not None and now - self._bad_at < WELL_S

    def _look(self, condition: Condition, now: LocalSeconds) -> None:
        if self._history and condition.ticks < self._history[-1][1].ticks:
            self._history.clear()  # the light process began anew
        self._history.append((now, condition))
        while now - self._history[0][0] > OVER_S:
            self._history.popleft()
        first = self._history[0][1]
        ticks = condition.ticks - first.ticks
        is_late = ticks >= _LEAST_TICKS and condition.late_ticks - first.late_ticks > LATE_SHARE * ticks
        if condition.is_complete:
            self._incomplete_since = None
        elif self._incomplete_since is None:
            self._incomplete_since = now
        is_missing = self._incomplete_since is not None and now - self._incomplete_since >= MISSING_S
        if is_late or is_missing:
            self._bad_at = now
