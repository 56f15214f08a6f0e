"""Members on real sockets: what they may send, and how they come and go."""

import asyncio
import contextlib
import json
import logging
import socket
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from jambridge.hub import phoenix
from jambridge.hub.limits import Limits, Patience
from jambridge.hub.phoenix import Frame
from tests.hub.live import PATIENCE_S, TOPIC, Member, health, live_hub, run, settled

UNHURRIED = Limits(
    frame_burst=1e9,
    byte_burst=1e9,
    address_byte_burst=1e9,
    message_burst=1e9,
    join_burst=1e9,
    presence_calls=10**9,
    room_burst=1e9,
)


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


def test_a_burst_that_is_allowed_sends_nobody_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Member.joined(hub, "listener") as listener, AsyncExitStack() as stack:
            senders = [await stack.enter_async_context(Member.joined(hub, f"p{n}")) for n in range(3)]
            for sender in senders:
                for _ in range(280):
                    await sender.broadcast("step")

            for _ in range(3 * 280):
                await listener.heard("step")
            assert (await health(hub))["dropped"] == {}

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


def test_a_flood_of_bytes_ends_the_socket_and_a_hosts_leds_are_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        leds = {"colors": [{"r": 255, "g": 255, "b": 255}] * 128, "filler": "x" * 4000}
        limits = Limits(address_byte_burst=1e9)
        async with live_hub(tmp_path, limits=limits) as hub, Member.joined(hub, "b") as ben:
            async with Member.joined(hub, "a") as anna:
                for sequence in range(250):  # four seconds of them at once
                    await anna.broadcast("led-update", sequence=sequence, **leds)
                while (await ben.heard("led-update"))["sequence"] < 249:
                    pass
                with contextlib.suppress(ConnectionError):
                    for _ in range(40):
                        await anna.broadcast("big", filler="x" * 250_000)
                assert await anna.closed() == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert (await health(hub))["dropped"] == {"frame-flood": 1}

    run(scenario())


@pytest.mark.parametrize(("version", "status"), [("3.0.0", 403), ("", 403), ("1.0.0", None), ("2.0.0", None)])
def test_a_version_that_is_not_spoken_is_refused(tmp_path: Path, version: str, status: int | None) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{hub.port}/realtime/v1/websocket?apikey=k&vsn={version}"
            if status is None:
                async with session.ws_connect(url) as websocket:
                    assert not websocket.closed
            else:
                with pytest.raises(aiohttp.WSServerHandshakeError, match=str(status)):
                    await session.ws_connect(url)

    run(scenario())


def test_members_of_another_protocol_are_members_like_any_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        heard: list[Frame] = []

        def deliver(frame: Frame) -> bool:
            heard.append(frame)
            return True

        async with live_hub(tmp_path) as hub, Member.joined(hub, "a", ack=True) as anna:
            relay = hub._relay
            other = relay.attach(deliver)
            config = {"config": {"presence": {"key": "s", "enabled": True}}}
            relay.receive(other, Frame(TOPIC, "phx_join", config, "1", "1"))
            relay.receive(other, Frame(TOPIC, "presence", {"event": "track", "payload": {"name": "Sam"}}, "2", "1"))
            joined = await anna.next(lambda message: message["event"] == "presence_diff")
            relay.receive(other, phoenix.broadcast(TOPIC, "tempo-change", {"tempo": 90, "fromPeerId": "s"}))
            assert (await anna.heard("tempo-change"))["tempo"] == 90
            assert (await anna.reply(await anna.broadcast("key-change", key="D")))["payload"]["status"] == "ok"
            async with Member.connected(hub) as impostor:
                refused = await impostor.join("s")
            relay.tell_all("hub-moved", {"page": "https://pi:3443"})
            assert await anna.heard("hub-moved") == {"page": "https://pi:3443"}
            relay.detach(other)
            left = await anna.next(lambda message: message["event"] == "presence_diff")

            assert list(joined["payload"]["joins"]) == list(left["payload"]["leaves"]) == ["s"]
            assert refused["payload"]["response"]["reason"] == "key in use"
            said = [frame.payload["event"] for frame in heard if frame.event == "broadcast"]
            assert said == ["key-change", "hub-moved"]
            assert (await health(hub))["members"] == 1

    run(scenario())


def test_a_member_of_another_protocol_that_takes_nothing_more_is_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Member.joined(hub, "a", ack=True) as anna:
            other = hub._relay.attach(lambda _frame: False)
            hub._relay.receive(other, Frame(TOPIC, "phx_join", {}, "1", "1"))
            assert (await anna.reply(await anna.broadcast("key-change", key="D")))["payload"]["status"] == "ok"
            hub._relay.detach(other)

            assert (await health(hub))["dropped"] == {"slow-reader": 2}  # the reply to its join, and the broadcast

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
