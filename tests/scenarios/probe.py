"""Datagrams from one host to another: which arrive, when, and in which order; the kernel's time of arrival."""

import socket
import struct
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.scenarios.namespaces import Host

BYTES = 160  # about a packet of 10 ms
LAST_S = 0.5  # after the last one is sent
_STAMP = struct.Struct("@qq")  # struct timespec, of SO_TIMESTAMPNS
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h
_HEADER = struct.Struct("!Id")


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Of `sent` datagrams those that came, in the order they came in."""

    sent: int
    numbers: NDArray[np.int64]
    delays_ms: NDArray[np.float64]

    @property
    def loss(self) -> float:
        return 1 - len(self.numbers) / self.sent

    @property
    def mean_burst(self) -> float:
        """Datagrams lost in a row."""
        is_lost = np.ones(self.sent + 2, np.bool_)
        is_lost[[0, -1]] = False
        is_lost[self.numbers + 1] = False
        bursts = int((is_lost[1:] & ~is_lost[:-1]).sum())
        return int(is_lost.sum()) / bursts if bursts else 0.0

    @property
    def overtaken(self) -> float:
        """Share of those that came after one which was sent later."""
        return float((self.numbers < np.maximum.accumulate(self.numbers)).mean())


def probe(source: Host, sink: Host, count: int, interval_s: float) -> Arrivals:
    """Send `count` datagrams, at most 250 at a time unread."""
    with source.here(_open) as sender, sink.here(_open) as receiver:
        address = (sink.address, receiver.getsockname()[1])
        came: list[tuple[int, float]] = []
        due_s = time.monotonic()
        for number in range(count):
            sender.sendto(_HEADER.pack(number, time.time()).ljust(BYTES), address)
            _read(receiver, came)
            due_s += interval_s
            time.sleep(max(due_s - time.monotonic(), 0.0))
        end_s = time.monotonic() + LAST_S
        while len(came) < count and time.monotonic() < end_s:
            _read(receiver, came)
            time.sleep(0.001)
    numbers, delays_ms = zip(*came, strict=True)
    return Arrivals(count, np.array(numbers), np.array(delays_ms))


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    opened.bind(("", 0))
    opened.setblocking(False)
    return opened


def _read(receiver: socket.socket, came: list[tuple[int, float]]) -> None:
    """Append number and delay in ms of every datagram that is there."""
    while True:
        try:
            payload, ((_, _, stamp),), _, _ = receiver.recvmsg(BYTES, 64)
        except BlockingIOError:
            return
        number, sent_s = _HEADER.unpack_from(payload)
        seconds, nanoseconds = _STAMP.unpack(stamp)
        came.append((number, 1000 * (seconds - sent_s + nanoseconds / 1e9)))
