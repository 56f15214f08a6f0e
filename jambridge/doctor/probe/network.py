"""Whether what is said to the mDNS group is heard here, and who answers."""

import asyncio
import ipaddress
import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jambridge.doctor.judge import network
from jambridge.doctor.judge.network import Mdns

WIRELESS = Path("/proc/net/wireless")
ANSWER_S = 2.0
_GROUP, _PORT = "224.0.0.251", 5353
_ASK_EVERY_S = 0.5  # one question or its answer may be lost
_MOST_BYTES = 9000  # RFC 6762 section 17
_MOST_OTHERS = 64


def wireless() -> str:
    """Empty where the kernel knows no Wi-Fi."""
    try:
        return WIRELESS.read_text()
    except OSError:
        return ""


async def mdns(own: Sequence[str]) -> Mdns:
    """Ask on every interface that has one of `own` addresses, but not on loopback, which no firewall closes."""
    reachable = [address for address in own if ipaddress.ip_address(address).version == 4]  # noqa: PLR2004
    if not reachable:
        return Mdns(came_back=False, problem="there is no network")
    listener = _Listener(secrets.token_hex(16), frozenset(own))
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: listener, sock=_socket(reachable))
    except OSError as exc:
        return Mdns(came_back=False, problem=os.strerror(exc.errno) if exc.errno else str(exc))
    senders = [_sender(address) for address in reachable]
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                while True:
                    for sender in senders:
                        with suppress(OSError):  # a firewall that refuses: then it does not come back
                            sender.sendto(network.question(listener.nonce), (_GROUP, _PORT))
                    await asyncio.sleep(_ASK_EVERY_S)
    finally:
        transport.close()
        for sender in senders:
            sender.close()
    return Mdns(listener.came_back, tuple(sorted(listener.others)))


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, nonce: str, own: frozenset[str]) -> None:
        self.nonce = nonce
        self.came_back = False
        self.others: set[str] = set()
        self._own = own

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.nonce.encode() in data[:_MOST_BYTES]:
            self.came_back = True
        elif network.is_answer(data) and addr[0] not in self._own and len(self.others) < _MOST_OTHERS:
            self.others.add(addr[0])


def _socket(addresses: Sequence[str]) -> socket.socket:
    """Beside the others of this machine that listen there."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.setblocking(False)
        listening.bind(("", _PORT))
        for address in addresses:
            with suppress(OSError):  # two addresses of one interface
                listening.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _membership(address))
    except OSError:
        listening.close()
        raise
    return listening


def _sender(address: str) -> socket.socket:
    """From port 5353 too: else the answer would be for us alone, by unicast (RFC 6762 section 6.7)."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    sender.setblocking(False)
    with suppress(OSError):
        sender.bind((address, _PORT))
    return sender


def _membership(address: str) -> bytes:
    return socket.inet_aton(_GROUP) + socket.inet_aton(address)
