"""A bad cable: a relay of Ethernet frames between two interfaces that loses, delays and reorders. A process of its own.

`python -m tests.fakes.impaired INNER OUTER SEED` reads lines of JSON, {"up": {...}, "down": {...}} with the fields of
`Impairment`, and answers each with its counters. Up is from INNER to OUTER. Interfaces must not leave checksums or
segmentation to the hardware, since there is none: `ethtool -K DEVICE tx off tso off gso off`.
"""

import contextlib
import errno
import heapq
import json
import os
import random
import select
import socket
import sys
import time
from dataclasses import dataclass
from typing import Literal

MOST_WAITING = 20_000  # frames; more are lost, as in any router
LONGEST_FRAME = 4096
HELD_BACK_MS = 5.0
_ETH_P_ALL = 3  # linux/if_ether.h
_SOL_PACKET = 263
_PACKET_IGNORE_OUTGOING = 23  # linux/if_packet.h
_FIFO_PRIORITY = 20  # above JACK's: what is late here is measured as the network's


@dataclass(frozen=True, slots=True)
class Impairment:
    """What befalls the frames that go one way."""

    loss: float = 0.0
    """Share that is lost, 0 to 1."""
    burst: float = 0.0
    """Mean number lost in a row, at least 1; 0: each frame is lost or not, whatever befell the last."""
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """Either side of the delay: the most of a uniform, the standard deviation of a normal; a delay is never under 0."""
    shape: Literal["uniform", "normal"] = "uniform"
    reordered: float = 0.0
    """Share that is held back by another 5 ms, so that what follows overtakes it."""
    in_order: bool = False
    """No frame overtakes another: jitter makes frames wait for those before them, and `reordered` does nothing."""


class Wire:
    """One way of the cable. Pure: the same seed and frames give the same losses and delays."""

    def __init__(self, seed: int) -> None:
        self.impairment = Impairment()
        self._random = random.Random(seed)
        self._losing = False
        self._last_due_s = 0.0

    def due_s(self, now_s: float) -> float | None:
        """When a frame that comes in now comes out; None: never."""
        is_lost, delay_ms = self._is_lost(), self._delay_ms()
        if is_lost:
            return None
        due_s = now_s + max(delay_ms, 0.0) / 1000
        if self.impairment.in_order:
            due_s = max(due_s, self._last_due_s)
        self._last_due_s = due_s
        return due_s

    def _is_lost(self) -> bool:
        """Gilbert's model where losses come in bursts: it stays bad for `burst` frames on average."""
        loss, burst = self.impairment.loss, self.impairment.burst
        chance = self._random.random()
        if not burst or loss >= 1:
            return chance < loss
        self._losing = chance >= 1 / burst if self._losing else chance < loss / (burst * (1 - loss))
        return self._losing

    def _delay_ms(self) -> float:
        one = self.impairment
        delay_ms = one.delay_ms
        if one.jitter_ms:
            normal = one.shape == "normal"
            delay_ms += one.jitter_ms * (self._random.gauss(0, 1) if normal else self._random.uniform(-1, 1))
        if one.reordered and self._random.random() < one.reordered:
            delay_ms += HELD_BACK_MS
        return delay_ms


class Direction:
    """Frames from one interface to another; `counters` says what became of them."""

    def __init__(self, source: socket.socket, sink: socket.socket, wire: Wire) -> None:
        self.source = source
        self.wire = wire
        self.counters = {"passed": 0, "lost": 0, "overflowed": 0}
        self._sink = sink
        self._serial = 0
        self._waiting: list[tuple[float, int, bytes]] = []

    @property
    def next_due_s(self) -> float:
        return self._waiting[0][0] if self._waiting else float("inf")

    def take(self, now_s: float) -> None:
        try:
            frame = self.source.recv(LONGEST_FRAME)
        except OSError as exc:
            _tolerate(exc)
            return
        due_s = self.wire.due_s(now_s)
        if due_s is None:
            self.counters["lost"] += 1
        elif due_s <= now_s:
            self._send(frame)
        elif len(self._waiting) >= MOST_WAITING:
            self.counters["overflowed"] += 1
        else:
            self._serial += 1
            heapq.heappush(self._waiting, (due_s, self._serial, frame))

    def release(self, now_s: float) -> None:
        while self._waiting and self._waiting[0][0] <= now_s:
            self._send(heapq.heappop(self._waiting)[2])

    def _send(self, frame: bytes) -> None:
        try:
            self._sink.send(frame)
            self.counters["passed"] += 1
        except OSError as exc:
            _tolerate(exc)
            self.counters["overflowed"] += 1


def relay(up: Direction, down: Direction) -> None:
    """Until standard input ends."""
    by_number = {up.source.fileno(): up, down.source.fileno(): down}
    command = sys.stdin.fileno()
    inputs = [*by_number, command]
    while True:
        wait_s = min(up.next_due_s, down.next_due_s) - time.monotonic()
        readable, _, _ = select.select(inputs, [], [], max(0.0, min(wait_s, 60.0)))
        now_s = time.monotonic()
        for number in readable:
            if number != command:
                by_number[number].take(now_s)
            elif not _obey(up, down):
                return
        up.release(now_s)
        down.release(now_s)


def open_interface(name: str) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    opened.bind((name, _ETH_P_ALL))
    opened.setblocking(False)
    return opened


def _obey(up: Direction, down: Direction) -> bool:
    """Read one line, change what it says, and answer; False at the end."""
    line = sys.stdin.readline()
    if line:
        wanted = json.loads(line)
        for name, direction in (("up", up), ("down", down)):
            if name in wanted:
                direction.wire.impairment = Impairment(**wanted[name])
        print(json.dumps({"up": up.counters, "down": down.counters}), flush=True)
    return bool(line)


def _tolerate(exc: OSError) -> None:
    """A cable that was pulled out at the other end, or a full queue, loses frames and ends nothing."""
    if exc.errno not in (errno.ENETDOWN, errno.ENOBUFS, errno.EAGAIN, errno.ENXIO, errno.EMSGSIZE):
        raise exc


def main() -> None:
    inner, outer = (open_interface(name) for name in sys.argv[1:3])
    seed = int(sys.argv[3])
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_FIFO_PRIORITY))
    relay(Direction(inner, outer, Wire(2 * seed)), Direction(outer, inner, Wire(2 * seed + 1)))


if __name__ == "__main__":
    main()
