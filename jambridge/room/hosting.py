"""Who hosts the room: the present host stays while present. Pure.

What newcomers say of themselves never moves the host of those who are settled. Who is new or back, or has just elected,
is provisional for a while and listens; members' claims carry their standing, so that two hosts find out who yields.
"""

import enum
from collections import Counter
from collections.abc import Iterable, Sequence

from jambridge.room.messages import Participant
from jambridge.room.presence import MOST_MEMBERS
from jambridge.units import LocalSeconds, PeerId

PLAUSIBLE_S = 24 * 3600.0
SKEW_S = 3600.0
"""Clocks of phones and boxes without one of their own differ."""
PROVISIONAL_S = 15.0


class Standing(enum.IntEnum):
    """How sure a member is of the host it names."""

    BACK = 0
    """It has just joined, or was away."""
    ELECTED = 1
    SETTLED = 2


def elect(members: Iterable[Participant], wall_s: float, *, newcomer: bool) -> PeerId | None:
    """The earliest plausible member, then the lower id. A newcomer first believes who says to be the host.

    Who claims to have joined more than a day before `wall_s` (seconds since 1970), or in the future, is last.
    """
    everyone = sorted(members, key=lambda member: (member.joined_at, member.id))
    plausible = [member for member in everyone if wall_s - PLAUSIBLE_S < member.joined_at < wall_s + SKEW_S]
    claimants = [member for member in plausible if newcomer and member.is_host]
    return next((member.id for member in (*claimants, *plausible, *everyone)), None)


class Hosting:
    """What one member believes. `host` is None while a newcomer waits for an answer."""

    def __init__(self, me: PeerId) -> None:
        self._me = me
        self._present: dict[PeerId, Participant] = {}
        self._claims: dict[PeerId, tuple[PeerId, Standing]] = {}
        self._standing = Standing.BACK
        self._settled_at = LocalSeconds(0)
        self._remembered = False
        self.host: PeerId | None = None

    @property
    def others(self) -> bool:
        return any(peer != self._me for peer in self._present)

    def present(self, peer: PeerId | None) -> bool:
        return peer in self._present

    def standing(self, now: LocalSeconds) -> Standing:
        return Standing.SETTLED if now >= self._settled_at else self._standing

    def joined(self, members: Sequence[Participant], now: LocalSeconds) -> None:
        """We are in the room, again or for the first time. Who was here before counts as present until `changed`."""
        self._present = self._bounded((*self._present.values(), *members))
        self._claims.clear()
        self._remembered = self.host is not None
        self._doubt(Standing.BACK, now)
        if self.host is None and not self.others:
            self.host = self._me
            self._doubt(Standing.ELECTED, now)

    def changed(self, members: Sequence[Participant]) -> None:
        """Who is present now. A host that is gone stays the host until another is elected: most are back soon."""
        self._present = self._bounded(members)
        self._claims = {peer: claim for peer, claim in self._claims.items() if peer in self._present}

    def elect(self, wall_s: float, now: LocalSeconds, *, newcomer: bool) -> None:
        self.host = elect(self._present.values(), wall_s, newcomer=newcomer)
        self._remembered = False
        self._doubt(Standing.BACK if newcomer else Standing.ELECTED, now)

    def hand_over(self, wall_s: float) -> PeerId | None:
        """Follow who would be elected without us."""
        others = (member for peer, member in self._present.items() if peer != self._me)
        self.host = elect(others, wall_s, newcomer=False)
        return self.host

    def hear(self, sender: PeerId, host: PeerId, standing: Standing, now: LocalSeconds) -> bool:
        """`sender` says who is host; True if we believe another one now."""
        if sender == self._me or sender not in self._present or host not in self._present:
            return False
        self._claims[sender] = (host, standing)
        before = self.host
        if sender == before:
            self.host = host  # nobody but the host hands over
        elif before is None or (before != self._me and self.standing(now) < Standing.SETTLED):
            self.host = self._favourite()
        elif before == self._me and sender == host:
            self._yield_to(host, standing, now)
        if self.host == self._me != before:
            self._doubt(Standing.ELECTED, now)
        return self.host != before

    def _yield_to(self, rival: PeerId, standing: Standing, now: LocalSeconds) -> None:
        """Two provisional hosts: who is surer stays, then the lower id."""
        mine = self.standing(now)
        if mine < Standing.SETTLED and (-standing, rival) < (-mine, self._me):
            self.host = rival

    def _favourite(self) -> PeerId | None:
        """Whom most name, then the surest, then the lower id; who names another itself is none."""
        votes: Counter[PeerId] = Counter()
        surest: dict[PeerId, Standing] = {}
        for host, standing in self._claims.values():
            votes[host] += 1
            surest[host] = max(standing, surest.get(host, Standing.BACK))
        if self._remembered and self.host is not None:
            votes[self.host] += 1
        willing = [peer for peer in votes if peer in self._present and self._claims.get(peer, (peer,))[0] == peer]
        return min(willing, key=lambda peer: (-votes[peer], -surest.get(peer, Standing.BACK), peer), default=self.host)

    def _doubt(self, standing: Standing, now: LocalSeconds) -> None:
        self._standing = standing
        self._settled_at = LocalSeconds(now + PROVISIONAL_S)

    def _bounded(self, members: Iterable[Participant]) -> dict[PeerId, Participant]:
        """By id; we are always among them."""
        present: dict[PeerId, Participant] = {}
        for member in members:
            if len(present) < MOST_MEMBERS or member.id == self._me:
                present[member.id] = member
        return present
