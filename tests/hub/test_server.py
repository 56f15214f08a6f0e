"""The hub's ports: who may connect, and what is answered there."""

import asyncio
import contextlib
import logging
import random
import resource
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from jambridge.errors import LinkError
from jambridge.hub.limits import Limits, Patience
from jambridge.hub.server import HubServer
from tests.fakes.crowd import crowd
from tests.fakes.waiting import until
from tests.hub.live import PATIENCE_S, Member, health, live_hub, run, settled


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
            said = await health(hub)
            assert said["refused"] + said["displaced"] == 2
            for _, writer in silent:
                writer.close()

    run(scenario())


@pytest.mark.parametrize("door", ["port", "tls_port"])
def test_a_crowd_that_says_next_to_nothing_keeps_nobody_out(tmp_path: Path, door: str) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, max_connections=50) as hub, Member.joined(hub, "a") as anna:
            plain, secure = f"http://127.0.0.1:{hub.port}", f"https://127.0.0.1:{hub.tls_port}"
            with crowd(getattr(hub, door)):
                for _ in range(20):
                    async with aiohttp.ClientSession() as session, session.get(f"{plain}/healthz") as answer:
                        assert answer.status == 200
                    async with aiohttp.ClientSession() as session, session.get(secure, ssl=False) as answer:
                        assert answer.status == 200
                    async with Member.joined(hub, "b") as bob:
                        await anna.broadcast("tempo-change", tempo=90)
                        assert (await bob.heard("tempo-change"))["tempo"] == 90
                assert (await health(hub))["displaced"] > 0

    run(scenario())


def test_who_does_not_read_an_answer_is_dropped(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, patience=Patience(unread_s=0.3)) as hub:
            rows = [{"id": f"LONG{n:02d}", "state": {"x": "y" * 60_000}} for n in range(15)]
            async with aiohttp.ClientSession(headers={"apikey": "k"}) as session:
                for n in range(0, len(rows), 3):
                    url = f"http://127.0.0.1:{hub.port}/rest/v1/sessions"
                    async with session.post(url, json=rows[n : n + 3]) as answer:
                        assert answer.status == 201
            slow = []
            for _ in range(4):
                reader = socket.socket()
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                reader.connect(("127.0.0.1", hub.port))
                request = b"GET /rest/v1/sessions?select=state HTTP/1.1\r\nHost: localhost\r\napikey: k\r\n\r\n"
                reader.sendall(request * 8)  # more than the kernel keeps
                slow.append(reader)
            await until(lambda: not hub._plain.open)  # the kernel goes on sending: its reader does not see the end
            assert (await health(hub))["rest"]["requests"] >= 5 + len(slow)
            for reader in slow:
                reader.close()

    run(scenario())


def test_an_address_sends_so_many_bytes_by_all_doors_together(tmp_path: Path) -> None:
    async def scenario() -> None:
        limits = Limits(address_byte_rate=1, address_byte_burst=60_000)
        async with live_hub(tmp_path, limits=limits) as hub, aiohttp.ClientSession(headers={"apikey": "k"}) as session:

            async def send(path: str) -> None:
                async with session.post(f"http://127.0.0.1:{hub.port}{path}", data=b"x" * 15_000):
                    pass

            await send("/rest/v1/sessions")
            await send("/realtime/v1/api/broadcast")
            async with Member.connected(hub) as member:
                await member.socket.send_str("x" * 20_000)
                with pytest.raises(aiohttp.ClientError):
                    await send("/socket.io/?EIO=4&transport=polling")
            elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
            url = f"http://127.0.0.1:{hub.port}/healthz"
            async with aiohttp.ClientSession(connector=elsewhere) as other, other.get(url) as answer:
                assert (await answer.json())["cut_off"] == 1

    run(scenario())


@pytest.mark.parametrize(
    "path", ["/rest/v1/sessions", "/realtime/v1/api/broadcast", "/socket.io/?EIO=4&transport=polling"]
)
def test_who_hangs_up_within_a_request_leaves_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\napikey: k\r\n"
            for _ in range(3):
                sender = socket.create_connection(("127.0.0.1", hub.port))
                sender.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
                await health(hub)
                sender.close()
                await health(hub)

    with caplog.at_level(logging.WARNING):
        run(scenario())
    assert caplog.records == []


def test_tls_connections_are_counted_before_their_handshake(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, max_per_address=2) as hub:
            silent = [await asyncio.open_connection("127.0.0.1", hub.tls_port) for _ in range(12)]
            ends = [asyncio.create_task(ended(reader)) for reader, _ in silent]
            async with asyncio.timeout(PATIENCE_S):
                while sum(end.done() for end in ends) < 4:  # 8 may wait, the others are sent away at once
                    await asyncio.wait([end for end in ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)
            assert sum(end.done() for end in ends) == 4
            said = await health_at_last(hub)  # for which one more had to go
            assert said["refused"] + said["displaced"] >= 5
            for _, writer in silent:
                writer.close()
            await asyncio.gather(*ends)

    run(scenario())


async def health_at_last(hub: HubServer) -> dict[str, Any]:
    """Once there is room to ask."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                return await health(hub)
            await asyncio.sleep(0.01)


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


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub:
            with pytest.raises(LinkError, match=f"port {hub.port}"):
                async with live_hub(tmp_path, port=hub.port):
                    pass

    run(scenario())


def test_a_hub_has_so_many_rooms_and_empty_ones_make_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path, limits=Limits(max_rooms=1)) as hub, Member.connected(hub) as other:
            async with Member.joined(hub, "a"):
                refused = await other.join("b", topic="realtime:room:OTHER1")
                assert refused["payload"]["response"] == {"reason": "too many rooms"}
            await settled(hub, rooms=0)
            assert (await other.join("b", topic="realtime:room:OTHER1"))["payload"]["status"] == "ok"

    asyncio.run(scenario())
