"""WLEDs on loopback as wires: every datagram with the kernel's time of arrival, later shown as a WLED would have."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.light import wled
from jambridge.light.wled import Controller
from jambridge.sim.virtual import Traits, VirtualWled
from jambridge.units import LocalSeconds

_LOOK_S = 0.1
_BUFFER = 8 * 1024 * 1024
_TIMESPEC = struct.Struct("@qq")
_TIMESTAMPNS = 35  # SO_TIMESTAMPNS, which Python does not name
_MOST = 2048


@dataclass(frozen=True, slots=True)
class Arrival:
    """`at` is time.monotonic()."""

    at: LocalSeconds
    payload: bytes


@dataclass(frozen=True, slots=True)
class Showing:
    """What a WLED made of the frames that were sent; `torn` pictures were never a frame."""

    pushed: tuple[float, ...]
    shown: int
    torn: int


class Strip:
    """One WLED. `controller` drives it."""

    def __init__(self, outputs: Sequence[int], protocol: wled.Protocol = "ddp") -> None:
        self.traits = Traits("strip", f"02{id(self) & 0xFFFFFFFFFF:010x}", tuple(outputs))
        self.data, self.udp = _open(), _open()
        self.arrivals: list[Arrival] = []
        self.releases: list[Arrival] = []
        self.controller = Controller(
            *(self.traits.mac, self.traits.name, "127.0.0.1", self.traits.pixels),
            data_port=self.data.getsockname()[1],
            udp_port=self.udp.getsockname()[1],
            max_fps=wled.fps(max(outputs)),
            protocol=protocol,
        )

    def showing(self, since: float) -> Showing:
        """By the code of the virtual WLED, at the times when the packets came."""
        unit, light = VirtualWled(self.traits), bytearray(3 * self.traits.pixels)
        frames: set[bytes] = set()
        pushed: list[float] = []
        shown = torn = 0
        fed_at = LocalSeconds(0.0)
        for arrival in self.arrivals:
            while (due := LocalSeconds(max(unit.due(), fed_at))) <= arrival.at:
                picture = unit.advance(due)
                if picture is not None and picture.at >= since:
                    shown += 1
                    torn += picture.pixels not in frames
            fed_at = arrival.at
            packet = unit.receive_ddp(arrival.payload, "127.0.0.1", arrival.at)
            if packet is not None:
                light[3 * packet.first_pixel : 3 * packet.first_pixel + len(packet.data)] = packet.data
            if packet is not None and packet.push:
                frames.add(bytes(light))
                pushed.extend([arrival.at] * (arrival.at >= since))
        return Showing(tuple(pushed), shown, torn)


def steady(gaps_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """An attack takes the next tick's place: its frame comes early, and the one after it late by as much."""
    hurried = np.abs(gaps_ms - 1000 / 60) > 1.0
    beside = hurried | np.roll(hurried, 1) | np.roll(hurried, -1)
    return gaps_ms[~beside]


@contextmanager
def listening(strips: Sequence[Strip]) -> Iterator[None]:
    """Take in all that arrives at them, until left."""
    ended = threading.Event()
    kept = {strip.data: strip.arrivals for strip in strips} | {strip.udp: strip.releases for strip in strips}

    def listen() -> None:
        while not ended.is_set():
            ready, _, _ = select.select(list(kept), [], [], _LOOK_S)
            for one in ready:
                kept[one].extend(_waiting(one))

    with ExitStack() as stack:
        for one in kept:
            stack.enter_context(one)
        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _open() -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    receiver.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
    receiver.bind(("127.0.0.1", 0))
    return receiver


def _waiting(receiver: socket.socket) -> Iterator[Arrival]:
    ahead_s = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()
    while True:
        try:
            payload, ancillary, _, _ = receiver.recvmsg(_MOST, 64)
        except BlockingIOError:
            return
        seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
        yield Arrival(LocalSeconds(seconds + nanoseconds / 1e9 - ahead_s), payload)
