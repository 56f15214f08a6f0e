import asyncio
import json
import socket
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from jambridge.light import ddp, wled
from jambridge.sim.wled import SERVICE, SimulatedWled, open_sim
from tests.light.test_e131 import packet as e131_packet


def send(port: int, *packets: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in packets:
            sender.sendto(packet, ("127.0.0.1", port))


def picture(level: int, pixels: int = 10) -> list[bytes]:
    return list(ddp.encode(np.full((pixels, 3), level, np.uint8), 0))


async def get(sim: SimulatedWled, path: str) -> dict[str, object]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{sim.http_port}{path}") as answer:
        body = await answer.json()
        assert isinstance(body, dict)
        return body


async def post(sim: SimulatedWled, body: bytes) -> int:
    url = f"http://127.0.0.1:{sim.http_port}/json/state"
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
        return answer.status


def test_what_it_says_of_itself_is_what_was_asked_for() -> None:
    async def scenario() -> None:
        async with open_sim(name="Strip", outputs=(375, 375), rgbw=True, no_gc=False, timeout_s=5) as sim:
            info = wled.parse_info(await get(sim, "/json/info"))
            live = wled.parse_live_config(await get(sim, "/json/cfg"))
            both = await get(sim, "/json")

            assert (info.name, info.pixels, info.rgbw, info.udp_port) == ("Strip", 750, True, sim.udp_port)
            assert live == wled.LiveConfig(
                longest_output=375, no_gc=False, timeout_s=5.0, dmx_mode=6, e131_port=sim.e131_port
            )
            assert {"state", "info"} <= both.keys()

    asyncio.run(scenario())


def test_a_stream_is_shown_told_and_ended_over_http() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(10), open_sim(10) as sim:
            send(sim.ddp_port, *picture(9))
            shown = await sim.until(lambda shown: shown.live)
            assert shown.pixels == bytes([9]) * 30

            info = wled.parse_info(await get(sim, "/json/info"))
            assert (info.live, info.lip) == (True, "127.0.0.1")

            assert await post(sim, b'{"live": false}') == 200
            await sim.until(lambda shown: not shown.live)
            assert await post(sim, b"{live}") == 400
            assert await post(sim, b'"' * 20_000) in (400, 413)

    asyncio.run(scenario())


def test_e131_is_shown_and_a_datagram_releases() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(10), open_sim(10) as sim:
            send(sim.e131_port, e131_packet(1, bytes([4]) * 30))
            await sim.until(lambda shown: shown.pixels == bytes([4]) * 30)

            send(sim.udp_port, wled.RELEASE)
            await sim.until(lambda shown: not shown.live)

    asyncio.run(scenario())


def test_without_data_it_times_out_by_itself() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(10), open_sim(10, timeout_s=0.2) as sim:
            send(sim.ddp_port, *picture(9))
            await sim.until(lambda shown: shown.live)
            own = await sim.until(lambda shown: not shown.live)
            assert own.at - sim.received[-1].at >= 0.2

    asyncio.run(scenario())


def test_a_capture_has_every_packet_and_every_picture(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(10), open_sim(500, capture=tmp_path / "frames.jsonl") as sim:
            send(sim.ddp_port, *picture(9, 500))
            await sim.until(lambda shown: shown.pixels == bytes([9]) * 1500)

    asyncio.run(scenario())

    events = [json.loads(line) for line in (tmp_path / "frames.jsonl").read_text().splitlines()]
    assert [bytes.fromhex(event["hex"]) for event in events if event["event"] == "received"] == picture(9, 500)
    last = events[-1]
    assert (last["event"], last["live"], last["hex"]) == ("shown", True, "09" * 1500)
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


def test_a_port_in_use_is_an_error() -> None:
    async def scenario() -> None:
        async with open_sim(10) as sim:
            with pytest.raises(OSError, match=r"in use"):
                await open_sim(10, http_port=sim.http_port).__aenter__()

    asyncio.run(scenario())


def test_its_announcement_has_the_port_and_the_mac() -> None:
    async def scenario() -> None:
        async with (
            asyncio.timeout(20),
            AsyncZeroconf(interfaces=["127.0.0.1"]) as zeroconf,
            open_sim(10, "My Strip", announce=True, zeroconf=zeroconf) as sim,
        ):
            service = AsyncServiceInfo(SERVICE, f"my-strip.{SERVICE}")
            assert await service.async_request(zeroconf.zeroconf, 3000)
            assert service.port == sim.http_port
            assert service.properties == {b"mac": sim.unit.traits.mac.encode()}
            assert service.parsed_addresses() == ["127.0.0.1"]

    asyncio.run(scenario())
