"""Members of a room as the daemon seats them: supervised, over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from jambridge.edges import Latest
from jambridge.room.client import open_room
from jambridge.room.edges import HUB, Address, RoomEdges, RoomView, open_sharing
from jambridge.room.messages import Participant
from jambridge.services import Services
from jambridge.units import PeerId

TOPIC = "room:ABC123"
PATIENCE_S = 60.0  # of a whole scenario, on a machine under load
SHORT_RETRY_S = 0.2


def person(name: str, later_s: float = 0.0) -> Participant:
    return Participant(PeerId(name.lower()), name, is_host=False, joined_at=time.time() + later_s)


def at(port: int) -> Address:
    return Address(f"http://127.0.0.1:{port}", "lan")


class Seat:
    """One member."""

    def __init__(
        self,
        address: Address,
        who: Participant,
        seat_name: str = HUB,
        *,
        longest_delay_s: float = SHORT_RETRY_S,
        must_be_empty: bool = False,
    ) -> None:
        self.room = RoomEdges(who.id)
        self.services = Services()
        self._who = who
        self._longest_delay_s = longest_delay_s
        self.services.start("sharing", partial(open_sharing, self.room))
        self.sit(address, seat_name, must_be_empty=must_be_empty)

    def sit(self, address: Address, seat_name: str, *, must_be_empty: bool = False) -> None:
        where: Latest[Address | None] = Latest(address)
        take = partial(open_room, where, TOPIC, self._who, self.room, seat_name, must_be_empty=must_be_empty)
        self.services.start(seat_name, take, longest_delay_s=self._longest_delay_s)

    async def until(self, holds: Callable[[RoomView], bool]) -> RoomView:
        while not holds(view := self.room.view.value):
            await self.room.view.changed(view)
        return view

    async def sees(self, *names: str) -> None:
        await self.until(
            lambda view: view.connection == "connected" and sorted(m.name for m in view.members) == sorted(names)
        )

    async def goes(self, connection: str) -> None:
        await self.until(lambda view: view.connection == connection)

    async def hosted_by(self, peer: str) -> None:
        await self.until(lambda view: view.host == peer)

    async def plays_at(self, tempo: float) -> None:
        while (state := self.room.state.value).tempo != tempo:
            await self.room.state.changed(state)


@asynccontextmanager
async def seated(address: Address, *names: str) -> AsyncIterator[list[Seat]]:
    """Members who came one after another and see each other."""
    seats: list[Seat] = []
    try:
        for index, name in enumerate(names):
            seats.append(Seat(address, person(name, index / 1000)))
            await seats[-1].sees(*names[: index + 1])
        for seat in seats:
            await seat.sees(*names)
            await seat.hosted_by(names[0].lower())
        yield seats
    finally:
        await stop(*seats)


async def stop(*seats: Seat) -> None:
    for seat in seats:
        await seat.services.stop()


def within_patience(scenario: Callable[[], Awaitable[None]], patience_s: float = PATIENCE_S) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(patience_s):
            await scenario()

    asyncio.run(bounded())
