"""What really arrives at a host: its cable is listened to, and every packet has the kernel's time of arrival.

Source: man 7 packet, man 7 socket (SO_TIMESTAMPNS); RFC 791, RFC 768; http://www.3waylabs.com/ddp/ "Packet header".
"""

import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.scenarios.namespaces import Host

DDP_PORT = 4048
WLED_UDP_PORT = 21324
RELEASE = b"\x02\x00"

_ETH_P_IP = 0x0800
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h
_TIMESPEC = struct.Struct("=qq")
_OUTGOING = 4  # linux/if_packet.h
_UDP = 17
_LOOK_S = 0.2  # a packet socket cannot be shut down, so its reader looks now and then whether to end
_RECEIVE_BUFFER = 8 * 1024 * 1024
_MOST_DATAGRAM = 65_535


@dataclass(frozen=True, slots=True)
class Datagram:
    """`at` is time.monotonic() of its arrival."""

    at: float
    source: str
    port: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class DdpPacket:
    at: float
    offset: int
    data: bytes
    push: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What a strip shows from `at` on: `pixels`, shape (pixels, 3), uint8. Its packets came within `burst_s`."""

    at: float
    pixels: NDArray[np.uint8]
    burst_s: float


class Capture:
    """UDP datagrams that arrived at one host since the capture began. Use `capture`."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._datagrams: list[Datagram] = []
        self._closing = False
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def datagrams(self, port: int, since: float = 0.0) -> list[Datagram]:
        return [datagram for datagram in self._datagrams.copy() if datagram.port == port and datagram.at >= since]

    def ddp(self, since: float = 0.0) -> list[DdpPacket]:
        return [_ddp(datagram) for datagram in self.datagrams(DDP_PORT, since)]

    def frames(self, pixels: int, since: float = 0.0) -> list[Frame]:
        return assemble(self.ddp(since), pixels)

    def releases(self, since: float = 0.0) -> list[float]:
        """When the WLED was told to go back to its own state."""
        return [one.at for one in self.datagrams(WLED_UDP_PORT, since) if one.payload[:2] == RELEASE]

    def close(self) -> None:
        self._closing = True
        self._thread.join()
        self._wire.close()

    def _listen(self) -> None:
        while not self._closing:
            try:
                packet, ancillary, _, (_, _, direction, *_) = self._wire.recvmsg(_MOST_DATAGRAM, 64)
            except TimeoutError:
                continue
            if direction != _OUTGOING:
                ahead_s = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()
                seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
                self._keep(packet, seconds + nanoseconds / 1e9 - ahead_s)

    def _keep(self, packet: bytes, at: float) -> None:
        """Keep UDP over IPv4; nothing here is fragmented."""
        header = 4 * (packet[0] & 0x0F)
        if packet[9] != _UDP:
            return
        source = socket.inet_ntoa(packet[12:16])
        port, length = struct.unpack_from("!HH", packet, header + 2)
        self._datagrams.append(Datagram(at, source, port, packet[header + 8 : header + length]))


@contextmanager
def capture(host: Host) -> Iterator[Capture]:
    running = Capture(host.here(_open_wire))
    try:
        yield running
    finally:
        running.close()


def assemble(packets: Sequence[DdpPacket], pixels: int) -> list[Frame]:
    """The frames that a strip of RGB shows: at every PUSH, as WLED does once it has seen one."""
    light = bytearray(3 * pixels)
    frames: list[Frame] = []
    began: float | None = None
    for packet in packets:
        began = packet.at if began is None else began
        light[packet.offset : packet.offset + len(packet.data)] = packet.data
        del light[3 * pixels :]
        if packet.push:
            shown = np.frombuffer(bytes(light), np.uint8).reshape(pixels, 3)
            frames.append(Frame(packet.at, shown, packet.at - began))
            began = None
    return frames


def _open_wire() -> socket.socket:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP))
    wire.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    wire.settimeout(_LOOK_S)
    return wire


def _ddp(datagram: Datagram) -> DdpPacket:
    """Ten bytes of header: flags, sequence, type, destination, offset, length."""
    flags, _, _, _, offset, length = struct.unpack_from("!BBBBIH", datagram.payload)
    return DdpPacket(datagram.at, offset, datagram.payload[10 : 10 + length], bool(flags & 1))
