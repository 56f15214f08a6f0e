"""Hubs announced and found by mDNS, over whatever interfaces this machine has."""

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from jambridge.errors import WireError
from jambridge.room import announce
from jambridge.room.announce import Hub
from tests.fakes.waiting import until

GOOD = {b"version": b"1.0.0", b"id": b"a1b2", b"http": b"3001", b"tls": b"3443"}
PATIENCE_S = 20.0


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(3 * PATIENCE_S):
            await scenario

    asyncio.run(bounded())


async def found(watching: announce.Watch, id_: str) -> Hub:
    async with asyncio.timeout(PATIENCE_S):
        while (hub := await watching.get()).id != id_:
            pass
        return hub


def test_what_is_announced_is_found() -> None:
    async def scenario() -> None:
        hub = Hub(secrets.token_hex(8), ("127.0.0.1",), 3001, 3443)
        async with announce.watch() as watching, announce.announce(hub):
            assert await found(watching, hub.id) == hub

    run(scenario())


def test_a_search_ends_soon_after_the_first_hub() -> None:
    async def scenario() -> None:
        hub = Hub(secrets.token_hex(8), ("127.0.0.1",), 3001, 3443)
        async with announce.announce(hub):
            hubs = await announce.find_hubs(PATIENCE_S)

        assert hub in hubs
        assert [hub.id for hub in hubs] == sorted(hub.id for hub in hubs)

    run(scenario())


def test_hostile_announcements_are_dropped_and_counted() -> None:
    hostile: list[dict[str, str | bytes]] = [
        {},
        {"id": "a" * 200, "version": "1.0.0", "tls": "3443"},
        {"id": "../../etc", "version": "1.0.0", "tls": "3443"},
        {"id": "a1", "version": "1.0.0", "tls": "99999"},
        {"id": "a1", "version": b"\xff\x00", "tls": "3443"},
    ]

    async def scenario() -> None:
        hub = Hub(secrets.token_hex(8), ("127.0.0.1",), 3001, 3443)
        network = AsyncZeroconf(ip_version=IPVersion.V4Only)
        try:
            async with announce.watch() as watching:
                for number, properties in enumerate(hostile):
                    name = f"evil{number}-{hub.id}"
                    info = AsyncServiceInfo(
                        announce.SERVICE,
                        f"{name}.{announce.SERVICE}",
                        port=3001,
                        properties=properties,
                        server=f"{name}.local.",
                        addresses=[b"\x7f\x00\x00\x01"],
                    )
                    await network.async_register_service(info, cooperating_responders=True)
                async with announce.announce(hub), asyncio.timeout(PATIENCE_S):
                    assert await found(watching, hub.id) == hub
                    await until(lambda: watching.dropped >= len(hostile))
        finally:
            await network.async_close()

    run(scenario())


def test_a_complete_record_is_a_hub() -> None:
    assert announce.parse(GOOD, 3001, ["127.0.0.1"]) == Hub("a1b2", ("127.0.0.1",), 3001, 3443, "1.0.0")


@pytest.mark.parametrize(
    ("change", "port", "addresses"),
    [
        ({b"id": None}, 3001, ["10.0.0.7"]),
        ({b"id": b"x" * 65}, 3001, ["10.0.0.7"]),
        ({b"id": b"a b"}, 3001, ["10.0.0.7"]),
        ({b"version": b"1.0\n0"}, 3001, ["10.0.0.7"]),
        ({b"tls": b"0"}, 3001, ["10.0.0.7"]),
        ({b"tls": b"65536"}, 3001, ["10.0.0.7"]),
        ({b"tls": "٣".encode()}, 3001, ["10.0.0.7"]),
        ({}, 0, ["10.0.0.7"]),
        ({}, 70_000, ["10.0.0.7"]),
        ({}, 3001, []),
        ({}, 3001, ["8.8.8.8", "224.0.0.1", "0.0.0.0", "nonsense"]),
    ],
)
def test_a_record_with_a_flaw_is_refused(change: dict[bytes, bytes | None], port: int, addresses: list[str]) -> None:
    with pytest.raises(WireError):
        announce.parse(GOOD | change, port, addresses)


@given(
    st.dictionaries(st.sampled_from(sorted(GOOD)) | st.binary(max_size=8), st.none() | st.binary(max_size=80)),
    st.integers(-1, 2**17),
    st.lists(st.ip_addresses().map(str) | st.text(max_size=8), max_size=20),
)
def test_any_record_is_a_hub_or_a_wire_error(
    properties: dict[bytes, bytes | None], port: int, addresses: list[str]
) -> None:
    for record in (properties, GOOD | properties, GOOD):
        with contextlib.suppress(WireError):
            hub = announce.parse(record, port, addresses)
            assert 0 < len(hub.addresses) <= announce.MAX_ADDRESSES


def test_a_hub_that_stays_says_so_and_comes_first() -> None:
    async def scenario() -> None:
        staying = Hub(f"zzzz{secrets.token_hex(6)}", ("127.0.0.1",), 3001, 3443, stays=True)
        async with announce.watch() as watching, announce.announce(staying):
            assert await found(watching, staying.id) == staying
        assert staying.rank < Hub("0000", ("127.0.0.1",), 3001, 3443).rank

    run(scenario())
