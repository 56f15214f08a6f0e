"""Who is in the room, from presence. Pure."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jambridge.errors import WireError
from jambridge.room.messages import Participant, parse_participant
from jambridge.units import LocalSeconds, PeerId

REJOIN_GRACE_S = 15.0
"""After a hub's restart its members come back one by one; their sound never stopped, so neither do we."""

MOST_MEMBERS = 64  # a hub of ours admits ten; another's may be hostile


def parse_state(state: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[dict[PeerId, Participant], int]:
    """At most MOST_MEMBERS members by id, and how many presences were unusable.

    Of a key with two sockets the first counts: the second may be anybody's, who saw the key.
    """
    members: dict[PeerId, Participant] = {}
    dropped = max(0, len(state) - MOST_MEMBERS)
    for key, metas in itertools.islice(state.items(), MOST_MEMBERS):
        try:
            members[PeerId(key)] = parse_participant(key, metas[0])
        except (WireError, LookupError, TypeError, AttributeError):
            dropped += 1
    return members, dropped


def ordered(members: Iterable[Participant]) -> tuple[Participant, ...]:
    """By time of joining, then id: the same order at everyone."""
    return tuple(sorted(members, key=lambda member: (member.joined_at, member.id)))


class Roster:
    """Members over time. A leave counts at once; who was lost with the connection is kept for a while."""

    def __init__(self) -> None:
        self._members: dict[PeerId, Participant] = {}
        self._missing: dict[PeerId, LocalSeconds] = {}

    @property
    def known(self) -> bool:
        """Whether anybody was ever seen here."""
        return bool(self._members)

    def rejoined(self, now: LocalSeconds) -> None:
        """A new connection starts with an empty presence: everybody known is awaited until the grace ends."""
        self._missing = {peer: LocalSeconds(now + REJOIN_GRACE_S) for peer in self._members}

    def update(self, present: Mapping[PeerId, Participant], now: LocalSeconds) -> tuple[Participant, ...]:
        """The members in force: those present, and those still awaited."""
        awaited = {
            peer: self._members[peer] for peer, until in self._missing.items() if peer not in present and now < until
        }
        self._missing = {peer: self._missing[peer] for peer in awaited}
        self._members = {**awaited, **present}
        return ordered(self._members.values())

    @property
    def missing(self) -> frozenset[PeerId]:
        """Those awaited, at the latest `update`."""
        return frozenset(self._missing)

    @property
    def awaited_until(self) -> LocalSeconds | None:
        """When `update` must be asked again although nothing arrived."""
        return min(self._missing.values(), default=None)
