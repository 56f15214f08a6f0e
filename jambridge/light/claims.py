"""What the bridges of a room tell each other of their lights. Pure.

Which WLEDs each would drive: of several that could drive one, the one with the lowest peer id does. How long after it
was played each can show a moment, and from when on that counts, where they show it together. And whether one asks for
the host's colours. Each says all of it whenever it changes, and now and then; what a member that has left said counts
no more.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from jambridge.errors import WireError
from jambridge.light import wled
from jambridge.light.presenting import Delay
from jambridge.strict_json import JsonObject
from jambridge.units import PeerId

EVENT = "light-claims"
MOST = 64
MOST_DELAY_MS = 1000.0
_HIGHEST = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Claim:
    """`macs`: what it would drive. `delay`: what it needs to show a moment; None where it shows all at once."""

    macs: frozenset[str] = frozenset()
    delay: Delay | None = None
    asks: bool = False
    """For the host's colours."""

    def payload(self) -> JsonObject:
        return {"macs": sorted(self.macs)[:MOST], **_said(self.delay), **({"asks": True} if self.asks else {})}


def parse(payload: Mapping[str, Any]) -> Claim:
    """Raises WireError for what is no claim."""
    macs, asks = payload.get("macs"), payload.get("asks", False)
    if not isinstance(macs, list) or len(macs) > MOST:
        raise WireError(f"a claim is a list of at most {MOST} MACs")
    if type(asks) is not bool:
        raise WireError("a bridge asks or does not")
    return Claim(frozenset(map(wled.parse_mac, macs)), _delay(payload), asks)


class Claims:
    """What the others say, as `me` has heard it."""

    def __init__(self, me: PeerId) -> None:
        self._me = me
        self._members: frozenset[PeerId] = frozenset()
        self._said: dict[PeerId, Claim] = {}

    def set_members(self, members: Collection[PeerId]) -> None:
        self._members = frozenset(members)
        self._said = {peer: claim for peer, claim in self._said.items() if peer in self._members}

    def hear(self, payload: Mapping[str, Any], sender: PeerId) -> None:
        """Raises WireError for what is no claim, and for one from nobody who is here."""
        claim = parse(payload)
        if sender not in self._members:
            raise WireError("a claim from nobody here")
        self._said[sender] = claim

    def taken(self) -> frozenset[str]:
        """The MACs that are not ours to drive."""
        return frozenset().union(*(claim.macs for peer, claim in self._said.items() if peer < self._me))

    def delays(self) -> tuple[Delay, ...]:
        """Of those that do not show all at once."""
        return tuple(one.delay for one in self._said.values() if one.delay is not None)

    def is_asked(self) -> bool:
        """Whether one of them asks for the host's colours."""
        return any(claim.asks for claim in self._said.values())


def _said(delay: Delay | None) -> JsonObject:
    if delay is None:
        return {}
    return {"delayMs": round(1000 * delay.seconds, 1), "delayFromMs": round(1000 * delay.since_s, 1)}


def _delay(payload: Mapping[str, Any]) -> Delay | None:
    """One without a beginning has begun: an older bridge says none."""
    delay_ms, from_ms = payload.get("delayMs"), payload.get("delayFromMs", 0)
    if delay_ms is None:
        return None
    if not _is_number(delay_ms, MOST_DELAY_MS):
        raise WireError(f"a delay is 0 to {MOST_DELAY_MS:.0f} ms")
    if not _is_number(from_ms, _HIGHEST):
        raise WireError("a delay begins at a number of milliseconds")
    return Delay(delay_ms / 1000, from_ms / 1000)


def _is_number(value: Any, most: float) -> bool:
    return type(value) in (int, float) and 0 <= value <= most
