"""Bridges of one room agree on their lights: each says what it would drive, how late it shows, and what it asks for.

Two limited streams on one strip would make one unlimited strobe.
"""

import asyncio

from jambridge.edges import Latest
from jambridge.light import claims
from jambridge.light.claims import Claim, Claims
from jambridge.light.control import LightSettings
from jambridge.light.discovery import Agreement
from jambridge.peers.roles import CLOCK
from jambridge.room.edges import RoomEdges
from jambridge.room.messages import Broadcast
from jambridge.strict_json import JsonObject
from jambridge.units import PeerId

LOOK_S = 0.2
AGAIN_S = (0.6, 2.0, 15.0)
"""Pauses between two tellings of the same, for one may be lost; the last comes again and again."""


async def claim(room: RoomEdges, settings: Latest[LightSettings], agreement: Agreement) -> None:
    """Keep what other bridges say, and tell them what is to be said of this one."""
    there = Claims(room.me)

    def heed() -> None:
        agreement.taken.set(there.taken())
        agreement.delays_of_others.set(there.delays())
        agreement.is_asked.set(there.is_asked())

    def hear(payload: JsonObject, sender: PeerId) -> None:
        there.hear(payload, sender)
        heed()

    room.readers[claims.EVENT] = hear
    said = Claim()
    bridges = frozenset[PeerId]()
    pauses, wait_s = iter(AGAIN_S), 0.0
    while True:
        members = room.members.value
        there.set_members([member.id for member in members])
        heed()
        before = said, bridges
        said = Claim() if settings.value.mode == "off" else _own(agreement)
        bridges = frozenset(one.id for one in members if CLOCK in one.capabilities and one.id != room.me)
        if (said, bridges) != before:
            pauses, wait_s = iter(AGAIN_S), 0.0
        if wait_s <= 0:
            if bridges and (said.macs or before[0].macs):
                room.broadcast(Broadcast(claims.EVENT, said.payload()))
            wait_s = next(pauses, AGAIN_S[-1])
        await asyncio.sleep(LOOK_S)
        wait_s -= LOOK_S


def _own(agreement: Agreement) -> Claim:
    """A bridge without a strip needs nothing."""
    macs = agreement.wanted.value
    return Claim(macs, agreement.delay.value, agreement.asks.value) if macs else Claim()
