"""When one stream's packets play, against when they should: how far off, and what is to be done about it. Pure.

Offsets are those of `depth`: the moment at which something plays minus its timestamp, in seconds.
"""

import math
from collections import deque
from typing import NamedTuple

from jambridge.audio.playout.arrivals import Waiting
from jambridge.audio.playout.depth import CAP_S, Depth, Safety
from jambridge.audio.playout.drift import Follower
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds

FIRST_WAIT_S = 0.005
"""So long the first packet of a stream waits."""
EXCESS_S = 0.015
"""More than this above the target is skipped: working it off by pace would take two minutes."""
DEFICIT_S = 0.001
"""Less than this below the target is worked off by pace, in two seconds."""

_SMOOTHED_S = 1.0
_FEW = 200  # packets, whose middle still moves by chance
_CAUGHT_UP_S = 0.1  # a sound server that calls back late has made up for it by then
_STALE_S = 0.3  # of nothing but packets that came later than any delay we would accept


class _Deadline(NamedTuple):
    """When sound in the place of a packet was needed, and the offset at that time."""

    position: int
    at: LocalSeconds
    offset_s: float


class Timing:
    """One stream, from its beginning to where it ends or jumps."""

    def __init__(self, safety: Safety, follower: Follower, first_wait_s: float = FIRST_WAIT_S) -> None:
        self.first_wait_s = first_wait_s
        self.waited_s = 0.0
        """How long packets wait before they are heard, smoothed over a second."""
        self.excess_s = 0.0
        """How much later than the target they are heard; negative where it is sooner."""
        self.is_stale = False
        """The stream has moved to a delay that cannot be followed packet by packet: begin anew."""
        self._safety = safety
        self._depth = Depth(safety)
        self._follower = follower
        self._offset_s = 0.0
        self._seen = 0
        self._played_at = LocalSeconds(0.0)
        self._deadlines: deque[_Deadline] = deque(maxlen=128)
        self._card_late_since = self._stale_since = math.inf
        self._late_at = -math.inf
        self._clot_late_s = 0.0

    @property
    def jitter_s(self) -> float:
        return self._depth.jitter_s

    def next(self, follower: Follower) -> "Timing":
        """For another stream over the same network."""
        return Timing(self._safety, follower, max(FIRST_WAIT_S, self._depth.spread_s))

    def due(self, soonest_s: float, now: LocalSeconds) -> float:
        """The timestamp to play `now`, at the beginning: `soonest_s` is the offset of what arrived the soonest."""
        return (now - soonest_s - self.first_wait_s) * SAMPLE_RATE_HZ

    def plays(self, packet: Waiting, now: LocalSeconds, heard_at: float, frames: int) -> None:
        """A packet of `frames` was needed `now` and is heard at that time: set the pace by it."""
        self._stale_since = math.inf
        offset_s = heard_at - packet.timestamp / SAMPLE_RATE_HZ
        if self._stands_out(offset_s, now):
            return
        passed_s = frames / SAMPLE_RATE_HZ
        self._seen += 1
        weight = max(min(1.0, passed_s / _SMOOTHED_S), 1 / self._seen)
        self._offset_s += weight * (offset_s - self._offset_s)
        self.waited_s += weight * (heard_at - packet.arrived_at - self.waited_s)
        self._note(self._offset_s - (now - packet.arrived_at), now)
        if self._seen > _FEW:
            self._follower.learn(self._depth.middle_s, now - self._played_at)
        self._follower.follow(self.excess_s)
        self._played_at = now

    def missed(self, position: int, now: LocalSeconds) -> None:
        """What should play at that timestamp was needed `now`, and was not there."""
        self._deadlines.append(_Deadline(position, now, self._offset_s))

    def came_late(self, packet: Waiting, frames: int) -> None:
        """A packet was missed and is there now. By how much it was late tells what would have been enough."""
        deadline = next((one for one in reversed(self._deadlines) if one.position <= packet.timestamp), None)
        if deadline is None:
            return
        late_s = packet.arrived_at - deadline.at
        in_a_clot = packet.arrived_at - self._late_at < frames / SAMPLE_RATE_HZ / 2
        self._late_at = packet.arrived_at
        if not in_a_clot or late_s > self._clot_late_s:  # a stall is one event, however many packets it held back
            self._clot_late_s = late_s
            if late_s < CAP_S:
                self._note(deadline.offset_s + late_s, packet.arrived_at)
        if self._clot_late_s >= CAP_S:
            self._stale_since = min(self._stale_since, packet.arrived_at)
            self.is_stale = packet.arrived_at - self._stale_since > _STALE_S

    def moved(self, frames: int) -> None:
        """All that follows is heard so much later; sooner, if negative."""
        self._offset_s += frames / SAMPLE_RATE_HZ
        self.waited_s += frames / SAMPLE_RATE_HZ
        self.excess_s += frames / SAMPLE_RATE_HZ

    def _note(self, needed_s: float, now: LocalSeconds) -> None:
        self._depth.note(needed_s, now)
        self.excess_s = self._offset_s - self._depth.target_s

    def _stands_out(self, offset_s: float, now: LocalSeconds) -> bool:
        """The card was late: either it catches up in a moment, or it stood still and everything is late from now on."""
        by_s = offset_s - self._offset_s
        if not self._seen or by_s < EXCESS_S:
            self._card_late_since = math.inf
            return False
        self._card_late_since = min(self._card_late_since, now)
        if now - self._card_late_since < _CAUGHT_UP_S:
            return True
        self.moved(round(by_s * SAMPLE_RATE_HZ))
        return False
