"""Which of a room's bridges drives a WLED that several could: the one with the lowest peer id. Pure.

Each says the MACs that it would drive, all of them whenever they change and now and then; who claims one that a bridge
of a lower id claims as well leaves it alone. What a member that has left claimed counts no more.
"""

from collections.abc import Collection, Mapping
from typing import Any

from jambridge.errors import WireError
from jambridge.light import wled
from jambridge.strict_json import JsonObject
from jambridge.units import PeerId

EVENT = "light-claims"
MOST = 64


class Claims:
    """What the others claim, as `me` has heard it."""

    def __init__(self, me: PeerId) -> None:
        self._me = me
        self._members: frozenset[PeerId] = frozenset()
        self._claimed: dict[PeerId, frozenset[str]] = {}

    def set_members(self, members: Collection[PeerId]) -> None:
        self._members = frozenset(members)
        self._claimed = {peer: macs for peer, macs in self._claimed.items() if peer in self._members}

    def hear(self, payload: Mapping[str, Any], sender: PeerId) -> None:
        """Raises WireError for what is no list of MACs, and for one from nobody who is here."""
        macs = payload.get("macs")
        if not isinstance(macs, list) or len(macs) > MOST:
            raise WireError(f"a claim is a list of at most {MOST} MACs")
        if sender not in self._members:
            raise WireError("a claim from nobody here")
        self._claimed[sender] = frozenset(map(wled.parse_mac, macs))

    def taken(self) -> frozenset[str]:
        """The MACs that are not ours to drive."""
        return frozenset().union(*(macs for peer, macs in self._claimed.items() if peer < self._me))


def payload(wanted: Collection[str]) -> JsonObject:
    return {"macs": sorted(wanted)[:MOST]}
