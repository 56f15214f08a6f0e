"""When one stream's packets play, against when they should: how far off, and what is to be done about it. Pure.

Offsets are those of `depth`: the frame of the card at which something plays minus its timestamp, in seconds.
"""

import math

from jambridge.audio.playout.arrivals import Waiting
from jambridge.audio.playout.callbacks import Callbacks
from jambridge.audio.playout.depth import CAP_S, GUARD_S, Depth, Safety
from jambridge.audio.playout.drift import LOOKAHEAD_FRAMES, Follower
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds

FIRST_WAIT_S = 0.005
"""So long the first packet of a stream waits."""
EXCESS_S = 0.015
"""More than this above the target is skipped: it would be worked off by pace in a quarter of a minute or more."""
DEFICIT_S = 0.8 * GUARD_S
"""Less than this below the target is worked off by pace: all packets are in time all the same."""

_SMOOTHED_S = 1.0
_FEW = 200  # packets, whose middle still moves by chance
_STALE_S = 0.3  # of nothing but packets that came later than any delay we would accept


class Timing:
    """One stream, from its beginning to where it ends or jumps."""

    def __init__(self, safety: Safety, follower: Follower, card: Callbacks, first_wait_s: float = FIRST_WAIT_S) -> None:
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
        self._card = card
        self._offset_s = 0.0
        self._seen = 0
        self._played_at = LocalSeconds(0.0)
        self._stale_since = math.inf
        self._late_at = -math.inf
        self._clot_late_s = 0.0

    @property
    def jitter_s(self) -> float:
        return self._depth.jitter_s

    def next(self, follower: Follower) -> "Timing":
        """For another stream over the same network."""
        return Timing(self._safety, follower, self._card, max(FIRST_WAIT_S, self._depth.spread_s))

    def due(self, soonest_s: float, now: LocalSeconds) -> float:
        """The timestamp to play `now`, at the beginning: `soonest_s` is the offset of what arrived the soonest."""
        return (now - soonest_s - self.first_wait_s) * SAMPLE_RATE_HZ

    def plays(self, packet: Waiting, now: LocalSeconds, ahead: int, frames: int) -> None:
        """A packet of `frames` was needed `now`, and plays `ahead` frames into the callback: set the pace by it."""
        self._stale_since = math.inf
        passed_s = frames / SAMPLE_RATE_HZ
        if not self._card.is_late:
            self._seen += 1
            heard_at = now + (ahead + LOOKAHEAD_FRAMES) / SAMPLE_RATE_HZ
            weight = max(min(1.0, passed_s / _SMOOTHED_S), 1 / self._seen)
            self.waited_s += weight * (heard_at - packet.arrived_at - self.waited_s)
        self._offset_s = (self._card.first + ahead - packet.timestamp) / SAMPLE_RATE_HZ
        taken = self._card.first_from(packet.arrived_at + self._depth.margin_s)
        self._note((taken - packet.timestamp) / SAMPLE_RATE_HZ, now)
        if self._seen > _FEW:
            self._follower.learn(self._depth.middle_s, now - self._played_at)
        self._follower.follow(self.excess_s)
        self._played_at = now

    def came_late(self, packet: Waiting, frames: int) -> bool:
        """A packet was missed, and the next callback takes it: that would have been enough.

        Returns:
            Whether others that come as late are to be in time.
        """
        needed_s = (self._card.next - packet.timestamp) / SAMPLE_RATE_HZ
        late_s = needed_s - self._offset_s
        in_a_clot = packet.arrived_at - self._late_at < frames / SAMPLE_RATE_HZ / 2
        self._late_at = packet.arrived_at
        is_news = not in_a_clot or late_s > self._clot_late_s  # a stall is one, however many packets it held back
        if is_news:
            self._clot_late_s = late_s
            if late_s < CAP_S:
                self._note(needed_s, packet.arrived_at)
        if self._clot_late_s >= CAP_S:
            self._stale_since = min(self._stale_since, packet.arrived_at)
            self.is_stale = packet.arrived_at - self._stale_since > _STALE_S
        return is_news and late_s < CAP_S

    def moved(self, frames: int) -> None:
        """All that follows is heard so much later; sooner, if negative."""
        self._offset_s += frames / SAMPLE_RATE_HZ
        self.waited_s += frames / SAMPLE_RATE_HZ
        self.excess_s += frames / SAMPLE_RATE_HZ

    def _note(self, needed_s: float, now: LocalSeconds) -> None:
        self._depth.note(needed_s, now)
        self.excess_s = self._offset_s - self._depth.target_s
