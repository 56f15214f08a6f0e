"""Bridges of one room agree who drives a WLED that several of them could: each says what it would drive.

Two limited streams on one strip would make one unlimited strobe.
"""

import asyncio

from jambridge.edges import Latest
from jambridge.light import claims
from jambridge.light.claims import Claims
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
    """Keep what is `taken` by other bridges, and tell them what is `wanted` here."""
    there = Claims(room.me)

    def hear(payload: JsonObject, sender: PeerId) -> None:
        there.hear(payload, sender)
        agreement.taken.set(there.taken())

    room.readers[claims.EVENT] = hear
    claimed = frozenset[str]()
    bridges = frozenset[PeerId]()
    pauses, wait_s = iter(AGAIN_S), 0.0
    while True:
        members = room.members.value
        there.set_members([member.id for member in members])
        agreement.taken.set(there.taken())
        before = claimed, bridges
        claimed = frozenset() if settings.value.mode == "off" else agreement.wanted.value
        bridges = frozenset(one.id for one in members if CLOCK in one.capabilities and one.id != room.me)
        if (claimed, bridges) != before:
            pauses, wait_s = iter(AGAIN_S), 0.0
        if wait_s <= 0:
            if bridges and (claimed or before[0]):
                room.broadcast(Broadcast(claims.EVENT, claims.payload(claimed)))
            wait_s = next(pauses, AGAIN_S[-1])
        await asyncio.sleep(LOOK_S)
        wait_s -= LOOK_S
