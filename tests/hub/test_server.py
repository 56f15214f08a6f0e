"""The hub on real sockets."""

import asyncio
import contextlib
import json
import logging
import random
import resource
import socket
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jambridge.errors import LinkError
from jambridge.hub.limits import Limits, Patience
from jambridge.hub.server import HubServer
from tests.hub.live import PATIENCE_S, TOPIC, Member, health, live_hub, settled

UNHURRIED = Limits(frame_burst=1e9, message_burst=1e9, join_burst=1e9, presence_calls=10**9, room_burst=1e9)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario

    asyncio.run(bounded())


def test_an_eleventh_member_is_refused_and_a_forged_sender_not_relayed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, AsyncExitStack() as stack:
            anna, ben, *_ = [
                await stack.enter_async_context(Member.joined(hub, f"p{n}", ack=n == 0)) for n in range(10)
            ]
            eleventh = await stack.enter_async_context(Member.connected(hub))

            refusal = await eleventh.join("p10")
            forged = await anna.reply(await anna.broadcast("tempo-change", tempo=1, fromPeerId="p1"))
            await anna.broadcast("tempo-change", tempo=120, fromPeerId="p0")

            assert refusal["payload"] == {"status": "error", "response": {"reason": "Session is full"}}
            assert forged["payload"]["status"] == "error"
            assert (await ben.heard("tempo-change"))["tempo"] == 120
            assert (await health(hub))["dropped"] == {"forged-sender": 1, "refused-join": 1}

    run(scenario())


def test_a_slow_reader_is_dropped_and_the_others_are_served(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            live_hub(tmp_path, limits=UNHURRIED) as hub,
            Member.joined(hub, "sender") as sender,
            Member.joined(hub, "reader") as reader,
        ):
            slow = socket.create_connection(("127.0.0.1", hub.port))
            slow.sendall(
                b"GET /realtime/v1/websocket?apikey=k HTTP/1.1\r\nHost: localhost\r\n"
                b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            join = {"topic": TOPIC, "event": "phx_join", "ref": "1", "payload": {}}
            slow.sendall(client_frame(json.dumps(join).encode()))
            await settled(hub, members=3)

            for number in range(200):
                await sender.broadcast("big", number=number, filler="x" * 100_000)
                assert (await reader.heard("big"))["number"] == number

            said = await health(hub)
            assert said["dropped"] == {"slow-reader": said["dropped"]["slow-reader"]}
            assert said["members"] == 2
            slow.close()

    run(scenario())


def client_frame(data: bytes) -> bytes:
    """A masked text frame of 126 to 65535 bytes or fewer; RFC 6455 section 5.2, with a mask of zeros."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data


def test_an_oversized_message_ends_its_socket_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Member.joined(hub, "a") as anna, Member.joined(hub, "b") as ben:
            await anna.broadcast("big", filler="x" * 600_000)

            assert await anna.closed() == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
            assert (await ben.reply(await ben.push("heartbeat", {}, "phoenix")))["payload"]["status"] == "ok"
            assert (await health(hub))["dropped"] == {"oversized": 1}

    run(scenario())


@pytest.mark.parametrize(("joins", "reason"), [(False, "no-join"), (True, "idle")])
def test_who_does_not_join_or_falls_silent_is_sent_away(tmp_path: Path, joins: bool, reason: str) -> None:
    async def scenario() -> None:
        async with (
            live_hub(tmp_path, patience=Patience(join_s=30 if joins else 0.2, idle_s=0.2)) as hub,
            Member.connected(hub) as member,
        ):
            if joins:
                await member.join("a")

            assert await member.closed() == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert (await health(hub))["dropped"] == {reason: 1}
            assert (await health(hub))["rooms"] == 0

    run(scenario())


def test_a_living_members_key_is_refused_and_pings_of_it_stay_few(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Member.joined(hub, "a") as anna, Member.connected(hub) as impostor:
            listening = asyncio.create_task(anna.heard("tempo-change"))
            for _ in range(10):
                reply = await impostor.join("a")
                assert reply["payload"] == {"status": "error", "response": {"reason": "key in use"}}
            async with Member.joined(hub, "b") as ben:
                await ben.broadcast("tempo-change", tempo=90)
                assert (await listening)["tempo"] == 90
            assert (await health(hub))["dropped"] == {"refused-join": 10}

    run(scenario())


def test_a_half_open_socket_is_superseded_by_its_members_return(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            live_hub(tmp_path) as hub,
            Member.connected(hub, autoping=False) as dead,
            Member.joined(hub, "b") as ben,
            Member.connected(hub) as back,
        ):
            await dead.join("a")
            assert (await back.join("a"))["payload"]["status"] == "ok"
            assert (await health(hub))["dropped"] == {"superseded": 1}
            await settled(hub, sockets=2, members=2)
            await back.broadcast("tempo-change", tempo=90, fromPeerId="a")
            assert (await ben.heard("tempo-change"))["tempo"] == 90
            await dead.closed()

    run(scenario())


@pytest.mark.parametrize("cleanly", [True, False])
def test_who_hung_up_may_come_back_at_once(tmp_path: Path, cleanly: bool) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, max_per_address=200) as hub, AsyncExitStack() as stack:
            for _ in range(50):
                member = await stack.enter_async_context(Member.joined(hub, "a"))
                if cleanly:
                    await member.socket.close()
                else:
                    connection = member.socket.get_extra_info("socket")
                    assert connection is not None
                    connection.shutdown(socket.SHUT_RDWR)
            assert not (await health(hub))["dropped"].get("refused-join")

    started_s = time.monotonic()
    run(scenario())
    assert time.monotonic() - started_s < 30  # 50 probes that nobody answers would take 50 s


def test_pings_are_answered_but_are_no_way_to_stay_without_joining(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            live_hub(tmp_path, patience=Patience(join_s=0.5)) as hub,
            Member.connected(hub, autoping=False) as member,
            asyncio.timeout(PATIENCE_S),
        ):
            await member.socket.ping(b"there?")
            answer = await member.socket.receive()
            with contextlib.suppress(ConnectionError):
                while (await health(hub))["sockets"]:
                    await member.socket.ping(b"still here")
                    await asyncio.sleep(0.02)

            assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"there?")
            assert (await health(hub))["dropped"] == {"no-join": 1}

    run(scenario())


def test_a_refused_join_is_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            live_hub(tmp_path, patience=Patience(join_s=0.2)) as hub,
            Member.connected(hub) as member,
        ):
            await member.join("a", topic="elsewhere")

            assert await member.closed() == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert (await health(hub))["dropped"]["no-join"] == 1

    run(scenario())


def test_a_flood_of_pings_is_a_flood_and_leaving_amid_it_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, limits=Limits(frame_burst=20, frame_rate=1)) as hub:
            async with Member.connected(hub) as member:
                for _ in range(40):
                    await member.socket.ping(b"x")
                assert await member.closed() == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert (await health(hub))["dropped"] == {"frame-flood": 1}
        async with live_hub(tmp_path, limits=UNHURRIED) as hub:
            async with Member.connected(hub) as member:
                for _ in range(2000):
                    await member.socket.ping(b"x" * 100)
                transport = member.socket.get_extra_info("socket")
                assert transport is not None
                transport.shutdown(socket.SHUT_RDWR)
            await settled(hub, sockets=0)

    with caplog.at_level(logging.WARNING):
        run(scenario())
    assert caplog.records == []


def test_a_flood_of_any_frames_ends_the_socket(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, limits=Limits(frame_burst=20, frame_rate=1)) as hub:
            async with Member.connected(hub) as member:
                for _ in range(40):
                    await member.socket.send_str("garbage")
                assert await member.closed() == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert (await health(hub))["dropped"]["frame-flood"] == 1

    run(scenario())


@pytest.mark.parametrize("limit", [{"max_per_address": 2}, {"max_connections": 2}], ids=str)
def test_more_sockets_than_allowed_are_refused(tmp_path: Path, limit: dict[str, int]) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, **limit) as hub:
            async with Member.joined(hub, "a"), Member.joined(hub, "b"):
                with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
                    async with Member.connected(hub):
                        pass
            await settled(hub, sockets=0)
            async with Member.joined(hub, "c"):
                assert (await health(hub))["refused"] == 1

    run(scenario())


def test_connections_that_never_ask_are_bounded_and_dropped(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, max_per_address=1, patience=Patience(first_request_s=0.3)) as hub:
            silent = [await asyncio.open_connection("127.0.0.1", hub.port) for _ in range(6)]
            async with asyncio.timeout(PATIENCE_S):
                for reader, _ in silent:
                    assert await ended(reader)
            assert (await health(hub))["refused"] == 2
            for _, writer in silent:
                writer.close()

    run(scenario())


def test_tls_connections_are_counted_before_their_handshake(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, max_per_address=2) as hub:
            silent = [await asyncio.open_connection("127.0.0.1", hub.tls_port) for _ in range(12)]
            async with asyncio.timeout(PATIENCE_S):
                for reader, _ in silent[8:]:  # 8 may wait, the others are sent away at once
                    assert await ended(reader)
                assert not any(reader.at_eof() for reader, _ in silent[:8])
                for _, writer in silent:
                    writer.close()
            await settled_refusals(hub, 4)

    run(scenario())


async def settled_refusals(hub: HubServer, most: int) -> None:
    """Wait until there is room again: then so many were refused, and those that asked meanwhile."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                assert (await health(hub))["refused"] >= most
            except aiohttp.ClientError:
                await asyncio.sleep(0.01)
            else:
                return


def test_without_descriptors_connections_are_refused_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Member.joined(hub, "a") as anna:
            waiting = [socket.socket() for _ in range(100)]
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(socket.socket.fileno, waiting)) + 1, hard))
            try:
                for each in waiting:
                    each.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        each.connect(("127.0.0.1", hub.tls_port))
                async with asyncio.timeout(PATIENCE_S):
                    for each in waiting:
                        with contextlib.suppress(ConnectionError):
                            assert await asyncio.get_running_loop().sock_recv(each, 1) == b""
                assert (await anna.reply(await anna.push("heartbeat", {}, "phoenix")))["payload"]["status"] == "ok"
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for each in waiting:
                    each.close()
            assert (await health(hub))["refused"] >= 100

    with caplog.at_level(logging.WARNING):
        run(scenario())
    (line,) = caplog.messages
    assert line.startswith("connections cannot be accepted")


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


def test_what_is_no_http_is_counted_and_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(20261120)
    garbage = [
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET " + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /jam/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"\x16\x03\x01" + chance.randbytes(200),
        *(chance.randbytes(100) for _ in range(10)),
    ]

    async def scenario() -> None:
        async with live_hub(tmp_path) as hub:
            for port in (hub.port, hub.tls_port):
                for data in garbage:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(data)
                    writer.write_eof()
                    async with asyncio.timeout(PATIENCE_S):
                        with contextlib.suppress(ConnectionError):
                            await reader.read()
                    writer.close()
            assert (await health(hub))["bad_requests"] > 0

    with caplog.at_level(logging.WARNING):
        run(scenario())
    assert caplog.records == []


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("http://127.0.0.1:{port}", None), ("https://mine.example", None)],
)
def test_only_own_and_allowed_pages_connect(tmp_path: Path, origin: str, status: int | None) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, allowed_origins=("https://mine.example",)) as hub:
            connecting = Member.connected(hub, origin=origin.format(port=hub.port))
            if status is None:
                async with connecting as member:
                    assert (await member.join("a"))["payload"]["status"] == "ok"
            else:
                with pytest.raises(aiohttp.WSServerHandshakeError, match=str(status)):
                    async with connecting:
                        pass

    run(scenario())


def test_without_an_apikey_there_is_no_socket(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, aiohttp.ClientSession() as session:
            answer = await session.get(f"http://127.0.0.1:{hub.port}/realtime/v1/websocket?vsn=1.0.0")
            assert answer.status == 401

    run(scenario())


def test_the_pages_say_what_they_may(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, aiohttp.ClientSession() as session:
            base = f"http://127.0.0.1:{hub.port}"
            for path, kind in [
                ("/", "text/html"),
                ("/jam/ABC123", "text/html"),
                ("/page/realtime.js", "text/javascript"),
            ]:
                async with session.get(base + path) as answer:
                    assert (answer.status, answer.content_type) == (200, kind)
                    assert f"ws://127.0.0.1:{hub.port}" in answer.headers["Content-Security-Policy"]
                    assert "microphone=(self)" in answer.headers["Permissions-Policy"]
                    assert answer.headers["Cache-Control"] == "no-cache"
            for path in ["/page/..%2fserver.py", "/page/.hidden", "/page/none.js", "/page/jam.py", "/jam/<b>", "/else"]:
                async with session.get(base + path) as answer:
                    assert answer.status == 404, path
            async with session.get(f"{base}/jam/ABC123", headers={"Host": "a'; script-src *"}) as answer:
                assert answer.status == 400

    run(scenario())


def test_the_end_sends_everybody_away_at_once_to_come_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            async with live_hub(tmp_path) as hub:
                members = [await stack.enter_async_context(Member.joined(hub, f"p{n}")) for n in range(5)]
                waiting = [asyncio.create_task(member.closed()) for member in members]
                await asyncio.sleep(0)
            async with asyncio.timeout(PATIENCE_S):
                codes = await asyncio.gather(*waiting)
            assert codes == [aiohttp.WSCloseCode.SERVICE_RESTART] * 5
            with pytest.raises(OSError, match=r".*"):
                await asyncio.open_connection("127.0.0.1", hub.port)

    run(scenario())


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub:
            with pytest.raises(LinkError, match=f"port {hub.port}"):
                async with live_hub(tmp_path, port=hub.port):
                    pass

    run(scenario())
