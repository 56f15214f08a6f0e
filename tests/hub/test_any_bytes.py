"""Any bytes, to the hub and to our client, are answered, dropped or closed by the protocol, and all goes on.

2000 generated messages to each in a normal run, 100,000 in the slow one.
"""

import asyncio
import contextlib
import gc
import json
import logging
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from aiohttp import web
from yarl import URL

from jambridge.errors import WireError
from jambridge.hub.http_broadcast import PATH
from jambridge.hub.server import WEBSOCKET_PATH
from jambridge.room import messages, presence
from jambridge.room.sharing import Sharing
from jambridge.units import LocalSeconds, PeerId
from tests.hub.live import PATIENCE_S, TOPIC, live_hub
from tests.hub.mutations import KEYS, Mutations
from tests.room.live import Seat, at, person, stop

COUNTS = [pytest.param(2_000, id="2000"), pytest.param(100_000, id="100000", marks=pytest.mark.slow)]
BATCH = 200
"""Messages of one connection; the hub closes those with more than 600 at once."""
MOST_GROWTH_MB = 12.0


class HubProcess:
    """The hub as it is run, with its own limits but for the connections of one address."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    @contextmanager
    def running(cls, directory: Path) -> Iterator["HubProcess"]:
        command = [sys.executable, "-m", "jambridge.hub", "--bind=127.0.0.1", "--port=0", "--tls-port=0"]
        command += ["--no-advertise", "--with-parent", f"--state-dir={directory}", "--max-per-address=100"]
        pipe = subprocess.PIPE
        with (directory / "log").open("w") as log:
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True)
        try:
            assert process.stdout is not None
            yield cls(process, json.loads(process.stdout.readline())["port"])
        finally:
            process.terminate()
            process.wait()

    @property
    def memory_mb(self) -> float:
        return float(psutil.Process(self.process.pid).memory_full_info().uss) / 1e6

    async def health(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        async with session.get(f"{self.url}/healthz") as answer:
            said: dict[str, Any] = await answer.json()
            return said


def check(message: aiohttp.WSMessage, version: int) -> None:
    """What the hub sends is a message of that version, whatever made it send it."""
    if message.type is aiohttp.WSMsgType.TEXT:
        parsed = json.loads(message.data, parse_constant=pytest.fail)
        event, payload = (parsed["event"], parsed["payload"]) if version == 1 else parsed[3:]
        assert isinstance(event, str) and isinstance(payload, dict)
    elif message.type is aiohttp.WSMsgType.BINARY:
        assert version == 2
        kind, *lengths, encoding = struct.unpack_from("!BBBBB", message.data)
        assert kind == 4 and encoding in (0, 1)
        body = message.data[5 + sum(lengths) :]
        message.data[5 : 5 + sum(lengths)].decode()
        assert encoding == 0 or isinstance(json.loads(body), dict)


class Witness:
    """A member that only listens, and checks all it hears."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, version: int) -> None:
        self.heard = 0
        self._socket = socket
        self._version = version
        self._told: set[str] = set()

    @classmethod
    @asynccontextmanager
    async def joined(cls, session: aiohttp.ClientSession, hub: HubProcess, version: int) -> AsyncIterator["Witness"]:
        async with session.ws_connect(
            f"{hub.url}{WEBSOCKET_PATH}?apikey=k&vsn={version}.0.0", max_msg_size=0
        ) as socket:
            witness = cls(socket, version)
            await witness.push("phx_join", {"config": {"presence": {"key": f"w{version}", "enabled": True}}})
            listening = asyncio.create_task(witness._listen())
            yield witness
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening

    async def push(self, event: str, payload: dict[str, Any], topic: str = TOPIC) -> None:
        message = {"topic": topic, "event": event, "payload": payload, "ref": "1", "join_ref": "1"}
        parts = ["1", "1", topic, event, payload]
        await self._socket.send_json(message if self._version == 1 else parts)

    async def hears(self, event: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while event not in self._told:  # noqa: ASYNC110  the other task sets it
                await asyncio.sleep(0.01)

    async def _listen(self) -> None:
        async for message in self._socket:
            check(message, self._version)
            self.heard += 1
            if message.type is aiohttp.WSMsgType.TEXT and "well met" in message.data:
                self._told.add("well met")
        pytest.fail(f"the hub closed a member that did nothing, {self._socket.close_code}")


async def send_any(socket: aiohttp.ClientWebSocketResponse | web.WebSocketResponse, message: str | bytes) -> None:
    """Send a message, be its text one or not."""
    if isinstance(message, bytes):
        await socket.send_bytes(message)
    else:
        await socket.send_frame(message.encode(errors="surrogatepass"), aiohttp.WSMsgType.TEXT)


async def attack(session: aiohttp.ClientSession, hub: HubProcess, mutations: Mutations, key: str, version: int) -> None:
    """One connection's messages; what the hub answers is checked, and it may end the connection at any time."""
    url = f"{hub.url}{WEBSOCKET_PATH}?apikey=k&vsn={version}.0.0"
    async with session.ws_connect(url, max_msg_size=0) as socket:

        async def listen() -> None:
            async for message in socket:
                check(message, version)

        listening = asyncio.create_task(listen())
        for _ in range(BATCH):
            message = mutations.to_hub(version, key)
            with contextlib.suppress(ConnectionError):
                await send_any(socket, message)
        await socket.close()
        await listening


@pytest.mark.parametrize("count", COUNTS)
def test_any_bytes_to_the_hub(tmp_path: Path, count: int) -> None:
    mutations = Mutations(20261121)

    async def post(session: aiohttp.ClientSession, hub: HubProcess) -> None:
        headers = {"apikey": "any", "Content-Type": "application/json"}
        one = f"{PATH}/%F0%9F%92%A5/events/{mutations.chance.choice(('x', '%ED%A0%80', '%00', 'a%2Fb'))}"
        url = f"{hub.url}{mutations.chance.choice((PATH, one))}"
        async with session.post(URL(url, encoded=True), headers=headers, data=mutations.body()) as answer:
            assert answer.status in (202, 400, 403, 413, 422, 429)

    async def scenario(hub: HubProcess) -> None:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            first, second = [
                await stack.enter_async_context(Witness.joined(session, hub, version)) for version in (1, 2)
            ]
            seat = Seat(at(hub.port), person("Ann"))
            stack.push_async_callback(stop, seat)
            await seat.until(lambda view: view.connection == "connected")
            before_mb = 0.0
            for done in range(0, count, 4 * BATCH):
                for witness in (first, second):
                    await witness.push("heartbeat", {}, "phoenix")
                batches = [(KEYS[number], 1 + number % 2) for number in range(4)]
                # From many addresses: the hub bounds what each may send.
                address = (f"127.0.0.{2 + done // (4 * BATCH) % 250}", 0)
                async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=address)) as attacker:
                    await asyncio.gather(*(attack(attacker, hub, mutations, *batch) for batch in batches))
                    for _ in range(8):
                        await post(attacker, hub)
                if done == 8 * BATCH:
                    before_mb = hub.memory_mb
            before_mb = before_mb or hub.memory_mb
            await first.push("broadcast", {"type": "broadcast", "event": "well met", "payload": {}})
            await second.hears("well met")
            ben = Seat(at(hub.port), person("Ben", later_s=1))
            stack.push_async_callback(stop, ben)
            await seat.sees("Ann", "Ben")
            said = await hub.health(session)
            assert said["frames"] >= count / 4  # the others went with a connection that the hub closed
            assert said["dropped"]["malformed"] > count / 20
            assert said["relayed"] > count / 40
            assert said["members"] == 4
            assert first.heard > 0 and second.heard > 0
            assert hub.memory_mb < before_mb + MOST_GROWTH_MB

    with HubProcess.running(tmp_path) as hub:
        asyncio.run(asyncio.wait_for(scenario(hub), 60 + count / 100))
    log = (tmp_path / "log").read_text()
    expected = ("certificate made", "room_log: room created", "room_log: room emptied")
    assert [line for line in log.splitlines() if not any(said in line for said in expected)] == []


@pytest.mark.parametrize("count", COUNTS)
def test_any_payload_to_what_our_client_reads(count: int) -> None:
    mutations = Mutations(20261122)
    sharing = Sharing(PeerId("ann"), jitter=mutations.chance.random)
    now = LocalSeconds(0.0)
    understood = 0
    for number in range(count):
        now = LocalSeconds(now + 0.01)
        key = mutations.chance.choice(KEYS)
        event, payload = mutations.broadcast(key)
        if isinstance(event, str) and isinstance(payload, dict):
            with contextlib.suppress(WireError):
                if event == messages.SIGNAL_EVENT:
                    messages.parse_signal(payload)
                else:
                    sharing.receive(event, payload, PeerId(key), now)
                understood += 1
        if number % 20 == 0:
            members, _ = presence.parse_state(mutations.presence())
            sharing.members_changed(presence.ordered(members.values()), 1e9, now)
            sharing.tick(now)
        json.dumps(sharing.state.values(), allow_nan=False)

    assert count / 4 < understood < count
    assert 40 <= sharing.state.tempo <= 300


class HostileHub:
    """It answers a join as it should and then sends anything, so much to each connection."""

    def __init__(self, mutations: Mutations, count: int) -> None:
        self.left = count
        self._mutations = mutations
        self._open: set[web.WebSocketResponse] = set()
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Its port."""
        bound = socket.create_server(("127.0.0.1", 0))
        application = web.Application()
        application.add_routes([web.get(WEBSOCKET_PATH, self._serve)])
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.SockSite(runner, bound).start()
            yield bound.getsockname()[1]
        finally:
            for websocket in list(self._open):
                await websocket.close()
            await runner.cleanup()

    async def next_end(self) -> None:
        """Wait until a connection has been told its share and was closed."""
        self._ended.clear()
        await self._ended.wait()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(timeout=5.0)
        await websocket.prepare(request)
        self._open.add(websocket)
        async for message in websocket:
            asked = json.loads(message.data)
            topic, event, ref = asked["topic"], asked["event"], asked["ref"]
            await _tell(websocket, topic, "phx_reply", {"status": "ok", "response": {"postgres_changes": []}}, ref)
            if event == "phx_join":
                await _tell(websocket, topic, "presence_state", {})
            elif event == "presence":
                await self._flood(websocket, topic, asked["join_ref"])
        self._open.discard(websocket)
        return websocket

    async def _flood(self, websocket: web.WebSocketResponse, topic: str, join_ref: str) -> None:
        for number in range(min(self.left, self._mutations.chance.randrange(20, 1000))):
            self.left -= 1
            with contextlib.suppress(ConnectionError, RuntimeError):  # the client has gone meanwhile
                await send_any(websocket, self._mutations.to_client(topic, join_ref))
            if number % 20 == 0:
                await asyncio.sleep(0)
        await websocket.close()
        self._ended.set()


async def _tell(socket: web.WebSocketResponse, topic: str, event: str, payload: object, ref: object = None) -> None:
    with contextlib.suppress(ConnectionError):
        await socket.send_json({"topic": topic, "event": event, "payload": payload, "ref": ref})


@pytest.mark.parametrize("count", COUNTS)
def test_any_bytes_to_our_client(tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int) -> None:
    async def scenario() -> None:
        hostile = HostileHub(Mutations(20261123), count)
        async with hostile.listening() as port:
            while True:
                seat = Seat(at(port), person("Ann"))
                await hostile.next_end()
                if not hostile.left:
                    break
                await stop(seat)  # as it is, it would join only five times in thirty seconds
        async with live_hub(tmp_path, port=port), asyncio.timeout(PATIENCE_S):
            ben = Seat(at(port), person("Ben", later_s=1))
            await ben.sees("Ann", "Ben")
            await seat.until(lambda view: {"ann", "ben"} <= {member.id for member in view.members})
            await stop(seat, ben)

    caplog.set_level(logging.CRITICAL, "realtime")  # it says what it cannot read
    caplog.set_level(logging.CRITICAL, "websockets")
    asyncio.run(asyncio.wait_for(scenario(), 60 + count / 100))
    gc.collect()  # a task that failed unseen says so at its end
    assert [record for record in caplog.records if record.exc_info] == []
