"""Every configured STUN and TURN server, asked; and as whom they see one socket of ours."""

import asyncio
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from aioice import stun

from jambridge.doctor.judge.connections import Asked, Mapping
from jambridge.peers import ice_probe
from jambridge.peers.ice_servers import Server

ANSWER_S = 2.0
CONNECT_S = 3.0
_RESEND_S = 0.5  # RFC 8489 section 6.2.1
_MOST_PLACES = 8

Place = tuple[str, int]


async def ask(servers: Sequence[Server]) -> list[Asked]:
    async def one(server: Server) -> Asked:
        return Asked(server.url, await ice_probe.ask(server.url, *server.login(time.time())))

    return list(await asyncio.gather(*map(one, servers)))


async def mappings(servers: Sequence[Server]) -> list[Mapping]:
    """Of TURN servers as well, which are asked for the same over UDP, without credentials."""
    places = await _places(one for one in servers if one.url.transport == "udp")
    if not places:
        return []
    seen = _Seen()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: seen, local_addr=("0.0.0.0", 0), family=socket.AF_INET
    )
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                while seen.by_place.keys() != set(places):
                    for place in set(places) - seen.by_place.keys():
                        transport.sendto(seen.request, place)
                    await seen.more(_RESEND_S)
    finally:
        port = transport.get_extra_info("sockname")[1]
        transport.close()
    return [
        Mapping(_text(place), f"{_own_address(place)}:{port}", _text(mapped))
        for place, mapped in seen.by_place.items()
        if place in places
    ]


async def tcp_passes(servers: Sequence[Server], elsewhere: Place | None) -> bool:
    """Whether any of the servers, or `elsewhere`, takes a connection."""
    places: set[Place] = {(one.url.host, one.url.port) for one in servers}
    if elsewhere is not None:
        places.add(elsewhere)
    return any(await asyncio.gather(*map(_connects, places)))


class _Seen(asyncio.DatagramProtocol):
    """What the servers say, by where it came from."""

    def __init__(self) -> None:
        self._message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        self.request = bytes(self._message)
        self.by_place: dict[Place, Place] = {}
        self._news = asyncio.Event()

    async def more(self, within_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._news.wait()
        self._news.clear()

    def datagram_received(self, data: bytes, addr: Place) -> None:
        try:
            answer = stun.parse_message(data)
        except (ValueError, struct.error):
            return
        mapped = answer.attributes.get("XOR-MAPPED-ADDRESS") or answer.attributes.get("MAPPED-ADDRESS")
        if answer.transaction_id == self._message.transaction_id and mapped is not None:
            self.by_place[addr] = mapped
            self._news.set()

    def error_received(self, exc: Exception) -> None:
        """One place that cannot be reached is told by its silence."""


async def _places(servers: Iterable[Server]) -> list[Place]:
    """Every IPv4 address of each: one name can be several servers."""
    loop = asyncio.get_running_loop()
    found: dict[Place, None] = {}
    for server in servers:
        with suppress(OSError):
            for entry in await loop.getaddrinfo(
                server.url.host, server.url.port, family=socket.AF_INET, type=socket.SOCK_DGRAM
            ):
                found[str(entry[4][0]), int(entry[4][1])] = None
    return list(found)[:_MOST_PLACES]


async def _connects(place: Place) -> bool:
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(*place, family=socket.AF_INET)
    except OSError:
        return False
    writer.close()
    return True


def _own_address(place: Place) -> str:
    """Ours towards it; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(place)
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def _text(place: Place) -> str:
    return f"{place[0]}:{place[1]}"
