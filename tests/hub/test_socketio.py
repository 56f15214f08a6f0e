"""Clients of the older Socket.IO protocol, beside Realtime's in the same rooms."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from jambridge.errors import WireError
from jambridge.hub import live, socketio_wire
from jambridge.hub.limits import Limits
from jambridge.hub.server import HubServer
from jambridge.room.state import RoomState
from jambridge.store import record
from tests.hub.live import Member, health, live_hub, settled

PATIENCE_S = 20.0
EVENTS = [
    "session:created",
    "session:joined",
    "session:user-joined",
    "session:user-left",
    "state:tempo-change",
    "state:playback-control",
    "state:key-change",
    "state:sync",
    "hub-moved",
    "error",
]


class Player:
    """One client. Every event it got is kept until it is looked for."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self.client = client
        self._heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        for event in EVENTS:
            client.on(event, self._listener(event))

    def _listener(self, event: str) -> Any:
        async def listen(data: Any) -> None:
            self._heard.put_nowait((event, data))

        return listen

    @classmethod
    @asynccontextmanager
    async def connected(cls, hub: HubServer, *transports: str) -> AsyncIterator["Player"]:
        client = socketio.AsyncClient(reconnection=False)
        player = cls(client)
        await client.connect(f"http://127.0.0.1:{hub.port}", transports=list(transports) or ["websocket"])
        try:
            yield player
        finally:
            await client.disconnect()
            await client.shutdown()

    async def say(self, event: str, **data: Any) -> None:
        await self.client.emit(event, data)

    async def heard(self, event: str) -> Any:
        """The next of that event; those before it are passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                name, data = await self._heard.get()
                if name == event:
                    return data

    async def create(self, name: str = "Alice") -> str:
        await self.say("session:create", name=name)
        code: str = (await self.heard("session:created"))["roomCode"]
        return code

    async def join(self, code: str, name: str = "Bob") -> dict[str, Any]:
        await self.say("session:join", roomCode=code, name=name)
        joined: dict[str, Any] = await self.heard("session:joined")
        return joined


def run(scenario: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(4 * PATIENCE_S):
            await scenario

    asyncio.run(bounded())


async def tracked(member: Member, code: str, name: str) -> None:
    topic = f"realtime:room:{code}"
    assert (await member.join(f"key-{name}", topic=topic))["payload"]["status"] == "ok"
    meta = {"name": name, "isHost": False, "joinedAt": "2026-11-21T09:00:00Z"}
    await member.push("presence", {"type": "presence", "event": "track", "payload": meta}, topic)


@pytest.mark.parametrize("transports", [("websocket",), ("polling",), ("polling", "websocket")], ids="+".join)
def test_a_session_is_created_and_joined_in_any_case(tmp_path: Path, transports: tuple[str, ...]) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub, *transports) as alice:
            await alice.say("session:create", name="Alice")
            created = await alice.heard("session:created")
            code = created["roomCode"]
            assert len(code) == 6
            assert created["userId"] == alice.client.get_sid()
            async with Player.connected(hub, *transports) as bob:
                await bob.say("session:join", roomCode=f" {code.lower()} ", userName="Bob")
                joined = await bob.heard("session:joined")
                assert joined["roomCode"] == code
                assert joined["userId"] == bob.client.get_sid()
                assert joined["participants"] == [
                    {"id": alice.client.get_sid(), "name": "Alice", "instrument": "unknown", "isHost": True},
                    {"id": bob.client.get_sid(), "name": "Bob", "instrument": "unknown", "isHost": False},
                ]
                user = (await alice.heard("session:user-joined"))["user"]
                assert user == {"id": bob.client.get_sid(), "name": "Bob", "instrument": "unknown", "isHost": False}

    run(scenario())


@pytest.mark.parametrize(
    ("code", "text"), [("ABC123", "Session not found"), ("A", "Invalid room code"), (None, "Invalid room code")]
)
def test_a_room_that_is_not_there_is_an_error(tmp_path: Path, code: str | None, text: str) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice:
            await alice.say("session:join", roomCode=code, name="Alice")
            assert await alice.heard("error") == {"message": text}
            assert (await health(hub))["rooms"] == 0

    run(scenario())


def test_a_full_room_is_an_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        limits = Limits(max_members=1)
        async with (
            live_hub(tmp_path, limits=limits) as hub,
            Player.connected(hub) as alice,
            Player.connected(hub) as bob,
        ):
            code = await alice.create()
            await bob.say("session:join", roomCode=code, name="Bob")
            assert await bob.heard("error") == {"message": "Session is full"}
            await settled(hub, members=1)

    run(scenario())


@pytest.mark.parametrize("how", ["leave", "leave without a code", "disconnect"])
def test_who_leaves_is_gone_for_the_others(tmp_path: Path, how: str) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice:
            code = await alice.create()
            async with Player.connected(hub) as bob:
                await bob.join(code)
                gone = bob.client.get_sid()
                if how == "disconnect":
                    await bob.client.disconnect()
                else:
                    await bob.say("session:leave", **({"roomCode": code} if how == "leave" else {}))
                assert await alice.heard("session:user-left") == {"userId": gone}
            await alice.client.disconnect()
            await settled(hub, rooms=0, socketio=0)

    run(scenario())


def test_nobody_sends_another_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice, Player.connected(hub) as bob:
            code = await alice.create()
            await bob.join(code)
            await bob.say("session:leave", roomCode=code, userId=alice.client.get_sid())
            await bob.say("session:leave", roomCode="OTHER1")
            await bob.say("state:tempo-change", tempo=99)
            assert await alice.heard("state:tempo-change") == {"tempo": 99}
            assert (await health(hub))["members"] == 2

    run(scenario())


def test_it_meets_realtime_members_in_one_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice, Member.connected(hub) as carol:
            code = await alice.create()
            await tracked(carol, code, "Carol")
            state = await carol.next(lambda message: message["event"] == "presence_state")
            (meta,) = state["payload"][alice.client.get_sid()]["metas"]
            assert {key: meta[key] for key in ("name", "isHost", "sends", "client")} == {
                "name": "Alice",
                "isHost": True,
                "sends": False,
                "client": "socket.io",
            }
            user = (await alice.heard("session:user-joined"))["user"]
            assert (user["id"], user["name"]) == ("key-Carol", "Carol")

            await alice.say("state:tempo-change", tempo=141.5)
            heard = await carol.heard("tempo-change")
            assert heard == {"tempo": 141.5, "revision": 1, "fromPeerId": alice.client.get_sid()}

            topic = f"realtime:room:{code}"
            for event, payload in (
                ("playback-control", {"isPlaying": True, "revision": 1, "fromPeerId": "key-Carol"}),
                ("tempo-change", {"tempo": 90}),  # from an older browser: the host, Alice, stamps it
                ("key-change", {"key": "F#", "revision": 1, "fromPeerId": "key-Carol"}),
            ):
                await carol.push("broadcast", {"type": "broadcast", "event": event, "payload": payload}, topic)
            assert await alice.heard("state:playback-control") == {"isPlaying": True}
            assert await alice.heard("state:tempo-change") == {"tempo": 90}
            assert await alice.heard("state:key-change") == {"key": "F#"}
            stamped = await carol.heard("tempo-change")
            assert (stamped["tempo"], stamped["revision"]) == (90, 2)

            await carol.push("phx_leave", {}, topic)
            assert await alice.heard("session:user-left") == {"userId": "key-Carol"}

    run(scenario())


def test_a_host_that_leaves_names_who_follows_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice, Member.connected(hub) as carol:
            code = await alice.create()
            await tracked(carol, code, "Carol")
            await alice.heard("session:user-joined")
            await alice.say("session:leave", roomCode=code)
            heard = await carol.heard("host-change")
            assert heard == {"hostId": "key-Carol", "standing": 1, "fromPeerId": alice.client.get_sid()}

    run(scenario())


def test_a_newcomer_learns_the_state_and_may_ask_for_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice, Player.connected(hub) as bob:
            code = await alice.create()
            await alice.say("state:tempo-change", tempo=77)
            await alice.say("state:playback-control", isPlaying=True)
            await bob.join(code)
            assert await bob.heard("state:tempo-change") == {"tempo": 77}
            await bob.say("state:request-sync")
            assert await bob.heard("state:sync") == {
                "tempo": 77,
                "key": "C",
                "scale": "major",
                "colorMode": "chromatic",
                "isPlaying": True,
            }

    run(scenario())


@pytest.mark.parametrize("tempo", [39, 301, "120", None, True, [120], {"a": 1}])
def test_what_cannot_be_is_told_to_who_said_it(tmp_path: Path, tempo: object) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice:
            await alice.create()
            await alice.say("state:tempo-change", tempo=tempo)
            assert "tempo" in (await alice.heard("error"))["message"]
            await alice.client.emit("state:tempo-change", "nonsense")
            assert "tempo" in (await alice.heard("error"))["message"]

    run(scenario())


def test_what_the_room_agreed_on_survives_the_hub(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice:
            code = await alice.create()
            await alice.say("state:tempo-change", tempo=201)
            await alice.say("state:request-sync")
            await alice.heard("state:sync")
            first = hub
        assert first.port
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice:
            await alice.join(code, "Alice")
            await alice.say("state:request-sync")
            assert (await alice.heard("state:sync"))["tempo"] == 201
            await alice.say("session:leave", roomCode=code)
            await settled(hub, rooms=0)
            await alice.say("session:join", roomCode=code, name="Alice")
            assert await alice.heard("error") == {"message": "Session not found"}

    run(scenario())


def test_the_hub_ends_at_once_whoever_is_there(tmp_path: Path) -> None:
    async def scenario() -> float:
        async with live_hub(tmp_path) as hub:
            websocket, polling = Player.connected(hub, "websocket"), Player.connected(hub, "polling")
            async with websocket as alice, polling as bob, Member.connected(hub) as carol:
                code = await alice.create()
                await bob.join(code)
                await tracked(carol, code, "Carol")
                _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
                writer.write(b"POST /socket.io/?EIO=4&sid=x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n")
                started_s = time.monotonic()
                ending = asyncio.create_task(hub._close_sockets(None))  # type: ignore[arg-type]
                await ending
                ended_s = time.monotonic()
                writer.close()
                return ended_s - started_s

    assert asyncio.run(scenario()) < PATIENCE_S / 4  # half a second on a machine that is free


def test_connections_count_with_all_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, max_per_address=2) as hub:
            async with Player.connected(hub), Player.connected(hub, "polling"):
                with pytest.raises(socketio.exceptions.ConnectionError):
                    async with Player.connected(hub):
                        pass
            await settled(hub, socketio=0)
            async with Player.connected(hub):
                await settled(hub, socketio=1)

    run(scenario())


NONSENSE = (
    *("", "x", "7", "4", "49", "45[]", '451-["a",{"_placeholder":true,"num":0}]', "40/admin,", "42", '42["connect"]'),
    *("42[1]", "42{}", '42["x"', "bAAAA", "4" + "9" * 5000, '42["session:create",' + "[" * 50 + "]" * 50 + "]"),
    *('42["session:create",{"name":NaN}]', "42" + "1" * 50 + '["session:create"]', '42["' + "x" * 20_000 + '"]'),
)


@pytest.mark.parametrize("packet", NONSENSE, ids=lambda packet: packet[:20] or "nothing")
def test_what_no_client_says_ends_its_connection(tmp_path: Path, packet: str) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, aiohttp.ClientSession() as session, Player.connected(hub) as alice:
            code = await alice.create()
            url = f"http://127.0.0.1:{hub.port}/socket.io/?EIO=4&transport=websocket"
            async with session.ws_connect(url) as socket:
                await socket.receive_str()
                await socket.send_str(packet)
                async with asyncio.timeout(PATIENCE_S):
                    while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                        pass
            await settled(hub, socketio=1)
            async with session.get(f"http://127.0.0.1:{hub.port}/socket.io/?EIO=4&transport=polling") as answer:
                sid = (await answer.text()).split('"sid":"')[1].split('"')[0]
            post = f"http://127.0.0.1:{hub.port}/socket.io/?EIO=4&transport=polling&sid={sid}"
            async with session.post(post, data=packet) as answer:
                assert answer.status == 400
            async with Player.connected(hub) as bob:
                await bob.join(code)

    run(scenario())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_session_that_has_ended_or_never_was_is_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, aiohttp.ClientSession() as session:
            url = URL(f"http://127.0.0.1:{hub.port}/socket.io/?EIO=4&transport=polling")
            async with session.get(url) as answer:
                sid = json.loads((await answer.text())[1:])["sid"]
            async with session.post(url.update_query(sid=sid), data="1") as answer:
                assert answer.status == 200
            for old in (sid, sid, "never", "\n\x1b[31mroot: all is well"):
                async with session.request(method, url.update_query(sid=old), data="2") as answer:
                    assert answer.status == 400

    with caplog.at_level(logging.WARNING):
        run(scenario())
    assert caplog.records == []


def test_a_foreign_page_may_not_connect(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, aiohttp.ClientSession() as session:
            for transport in ("polling", "websocket"):
                url = f"http://127.0.0.1:{hub.port}/socket.io/?EIO=4&transport={transport}"
                async with session.get(url, headers={"Origin": "https://evil.example"}) as answer:
                    assert answer.status == 403
            url = f"http://127.0.0.1:{hub.port}/socket.io/?EIO=4&transport=polling"
            async with session.get(url, headers={"Origin": "http://localhost:5173"}) as answer:
                assert answer.status == 200
                assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:5173"

    run(scenario())


def test_names_are_bounded_and_flat(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice:
            await alice.say("session:create", name="A\x1b[31m\n" + "x" * 500, instrument={"no": 1})
            (user,) = (await alice.heard("session:created"))["participants"]
            assert len(user["name"]) <= 64
            assert user["name"].isprintable()
            assert user["instrument"] == "unknown"

    run(scenario())


def test_a_flood_of_events_is_dropped_and_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Player.connected(hub) as alice:
            for number in range(190):
                await alice.say("session:leave", roomCode=str(number))
            async with asyncio.timeout(PATIENCE_S):
                while "socketio-flood" not in (await health(hub))["dropped"]:  # noqa: ASYNC110  seen only from outside
                    await asyncio.sleep(0.01)
            assert alice.client.connected

    run(scenario())


@given(st.text() | st.text().map("42{}".format) | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_text_is_a_packet_or_a_wire_error(text: str) -> None:
    for check in (socketio_wire.check, socketio_wire.check_payload):
        try:
            check(text)
        except WireError:
            continue
        assert text[0].isdigit()


def test_a_kept_state_is_read_as_it_was_written() -> None:
    state = RoomState().changed("tempo", 99, "a").changed("key", "F#", "b").changed("tempo", 100.5, "c")

    assert live.from_json(record.decode(live.to_json(state))) == state
