"""A seat in a room of a real hub, through the unmodified client library."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from jambridge.edges import Latest
from jambridge.errors import LinkError, Text, UnavailableError
from jambridge.hub.server import HubServer
from jambridge.room import messages
from jambridge.room.client import Address, RoomEdges, open_room
from jambridge.room.messages import Broadcast, Participant, Signal, SignalType
from jambridge.services import Services
from jambridge.units import PeerId
from tests.hub.live import live_hub

TOPIC = "room:ABC123"


def person(name: str, joined_at: float = 1.0) -> Participant:
    return Participant(PeerId(name.lower()), name, is_host=False, joined_at=joined_at)


class Seat:
    """One member, supervised as in the daemon."""

    def __init__(self, address: Address, who: Participant) -> None:
        self.room = RoomEdges()
        self.services = Services()
        where: Latest[Address | None] = Latest(address)
        self.services.start("room", lambda: open_room(where, TOPIC, who, self.room), longest_delay_s=0.5)

    async def sees(self, *names: str) -> None:
        view = self.room.view.value
        while {member.name for member in view.members} != set(names) or view.connection != "connected":
            view = await self.room.view.changed(view)

    async def goes(self, connection: str) -> None:
        while (view := self.room.view.value).connection != connection:
            await self.room.view.changed(view)


@asynccontextmanager
async def seated(hub: HubServer, *names: str) -> AsyncIterator[list[Seat]]:
    address = Address(f"http://127.0.0.1:{hub.port}", "lan")
    seats = []
    try:
        for index, name in enumerate(names):
            seats.append(Seat(address, person(name, index)))
            await seats[-1].sees(*names[: index + 1])
        yield seats
    finally:
        for seat in seats:
            await seat.services.stop()


def run(scenario: Callable[[HubServer], Awaitable[None]], place: Path) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30), live_hub(place) as hub:
            await scenario(hub)

    asyncio.run(bounded())


def test_members_see_each_other_and_the_first_is_the_host(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(hub, "Ada", "Bob") as (ada, bob):
            await ada.sees("Ada", "Bob")
            assert ada.room.view.value.host == bob.room.view.value.host == "ada"
            await ada.services.stop()
            await bob.sees("Bob")
            assert bob.room.view.value.host == "bob"

    run(scenario, tmp_path)


def test_a_signal_reaches_the_one_it_is_for(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(hub, "Ada", "Bob", "Cy") as (ada, bob, cy):
            said = Signal(SignalType.OFFER, PeerId("bob"), PeerId("ada"), "c1", {"type": "offer", "sdp": "v=0"})
            ada.room.say(said)
            assert await bob.room.signals.get() == said
            assert cy.room.signals.refused == 0

    run(scenario, tmp_path)


def test_hostile_signals_are_counted_and_the_room_goes_on(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(hub, "Ada", "Bob") as (ada, bob):
            for payload in (
                {"targetPeerId": "bob", "fromPeerId": "ada", "type": "nonsense"},
                {"targetPeerId": "bob", "fromPeerId": "ada", "type": "offer", "data": "x"},
                {"targetPeerId": "bob", "fromPeerId": "ada", "type": "offer", "data": {"sdp": "x" * 40_000}},
                {"targetPeerId": ["bob"], "fromPeerId": "ada"},
                {},
            ):
                ada.room.outbox.put(Broadcast(messages.SIGNAL_EVENT, payload))
            last = Signal(SignalType.BYE, PeerId("bob"), PeerId("ada"), "c1", {})
            ada.room.say(last)
            assert await bob.room.signals.get() == last
            assert bob.room.dropped == {"malformed": 3}

    run(scenario, tmp_path)


def test_one_who_floods_is_muted_and_nobody_leaves(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(hub, "Ada", "Bob") as (ada, bob):
            bye = Signal(SignalType.BYE, PeerId("bob"), PeerId("ada"), "c1", {})
            for _ in range(300):
                ada.room.say(bye)
                await asyncio.sleep(0)
            heard = [await bob.room.signals.get()]
            while bob.room.signals.offer(bye) and len(heard) < 30:
                heard.append(await bob.room.signals.get())
            assert bob.room.view.value.connection == "connected"

    run(scenario, tmp_path)


def test_after_the_hubs_restart_everybody_is_back_and_the_host_is_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub:
            port = hub.port
            address = Address(f"http://127.0.0.1:{port}", "lan")
            ada, bob = Seat(address, person("Ada", 1)), Seat(address, person("Bob", 2))
            await ada.sees("Ada", "Bob")
            await bob.sees("Ada", "Bob")
            host = ada.room.view.value.host
        lost: list[int] = []
        await bob.goes("reconnecting")
        async with live_hub(tmp_path, port=port):
            while (view := bob.room.view.value).connection != "connected":
                lost.append(len(view.members))
                await bob.room.view.changed(view)
            await ada.sees("Ada", "Bob")
            await bob.sees("Ada", "Bob")
            assert ada.room.view.value.host == bob.room.view.value.host == host
            assert set(lost) == {2}, "who was there is awaited, not forgotten"
            await ada.services.stop()
            await bob.services.stop()

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(bounded())


def test_a_room_that_must_exist_and_does_not_is_unavailable(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        where: Latest[Address | None] = Latest(Address(f"http://127.0.0.1:{hub.port}", "lan"))
        with pytest.raises(UnavailableError, match=Text.NOT_FOUND):
            async with open_room(where, TOPIC, person("Ada"), RoomEdges(), must_exist=True):
                pass

    run(scenario, tmp_path)


def test_the_eleventh_member_is_told_that_the_session_is_full(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(hub, *(f"M{number}" for number in range(10))):
            where: Latest[Address | None] = Latest(Address(f"http://127.0.0.1:{hub.port}", "lan"))
            with pytest.raises(LinkError, match=Text.FULL):
                async with open_room(where, TOPIC, person("Eleventh"), RoomEdges()):
                    pass

    run(scenario, tmp_path)


def test_where_no_hub_listens_is_said_in_a_sentence() -> None:
    async def scenario() -> None:
        where: Latest[Address | None] = Latest(Address("http://127.0.0.1:9", "lan"))
        with pytest.raises(LinkError, match="http://127.0.0.1:9 cannot be reached"):
            async with open_room(where, TOPIC, person("Ada"), RoomEdges()):
                pass

    started = time.monotonic()
    asyncio.run(scenario())
    assert time.monotonic() - started < 10


def test_a_presence_that_the_library_cannot_merge_is_survived() -> None:
    """A foreign hub: `presence_ref` in a payload ends the client library's listening, while its heartbeat goes on."""

    async def scenario() -> None:
        joined = asyncio.Event()
        async with hostile_hub(joined) as address:
            where: Latest[Address | None] = Latest(address)
            room = RoomEdges()
            async with open_room(where, TOPIC, person("Ada"), room) as seat:
                joined.set()
                with pytest.RaisesGroup(pytest.RaisesExc(LinkError, match="stopped listening")):
                    await seat.run()

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


@asynccontextmanager
async def hostile_hub(joined: asyncio.Event) -> AsyncIterator[Address]:
    """Says what a hub says, and once `joined` is set a presence that no client can merge."""

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            frame = message.json()
            reply = {"status": "ok", "response": {"postgres_changes": []}}
            answer = {"topic": frame["topic"], "event": "phx_reply", "ref": frame["ref"], "payload": reply}
            await socket.send_json(answer)
            if frame["event"] == "phx_join":
                await say(socket, "presence_state", {})
            elif frame["event"] == "presence":
                await joined.wait()
                metas = [{"phx_ref": "1", "name": "x", "presence_ref": ["x"]}]
                await say(socket, "presence_diff", {"joins": {"x": {"metas": metas}}, "leaves": {}})
                await say(socket, "presence_diff", {"joins": {}, "leaves": {"x": {"metas": metas}}})
        return socket

    async def say(socket: web.WebSocketResponse, event: str, payload: dict[str, object]) -> None:
        await socket.send_json({"topic": f"realtime:{TOPIC}", "event": event, "ref": None, "payload": payload})

    application = web.Application()
    application.router.add_get("/realtime/v1/websocket", serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield Address(f"http://127.0.0.1:{port}", "lan")
    finally:
        await runner.cleanup()
