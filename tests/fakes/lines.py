"""A line-in and a line-out as the daemon has them, supervised, in a thread; and musicians whose packets are played."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.card import wire
from jambridge.audio.card.control import CaptureReport, CaptureSettings, PlaybackReport, PlaybackSettings
from jambridge.audio.card.desk import Desk, DeskChannel
from jambridge.audio.card.service import RETRY_S, CardService, open_capture, open_playback
from jambridge.audio.feed import Feeds
from jambridge.audio.opus import BIT_RATE, FRAME_FRAMES, Decoder
from jambridge.audio.packetizer import OpusPacket, Packetizer
from jambridge.audio.ring import read_wakes
from jambridge.edges import Latest
from jambridge.services import Running
from jambridge.supervise import supervise
from jambridge.units import SAMPLE_RATE_HZ, Frames, LocalSeconds, PeerId

PATIENCE_S = 20.0
LOOK_S = 0.02
Samples = NDArray[np.float32]
S = TypeVar("S", CaptureSettings, PlaybackSettings)
R = TypeVar("R", CaptureReport, PlaybackReport)
T = TypeVar("T")


class _Line(Generic[S, R]):
    def __init__(
        self,
        settings: Latest[S],
        reports: Latest[R],
        open_service: Callable[[], AbstractAsyncContextManager[CardService[S, R]]],
    ) -> None:
        self._settings: Latest[S] = settings
        self._reports: Latest[R] = reports
        self.running: Running[CardService[S, R]] = Running("line", open_service)
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._live()))

    @property
    def report(self) -> R:
        return self._reports.value

    @property
    def pid(self) -> int:
        assert self.running.present is not None
        return self.running.present.pid

    def set(self, settings: S) -> None:
        self.call(partial(self._settings.set, settings))

    def call(self, what: Callable[[], T]) -> T:
        """On the loop's thread."""

        async def called() -> T:
            return what()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(PATIENCE_S)

    def until(self, holds: Callable[[R], object], what: str, patience_s: float = PATIENCE_S) -> float:
        """Seconds until the report is so."""
        return until(lambda: holds(self.report), lambda: f"{what}: {self.report}", patience_s)

    def until_open(self, patience_s: float = PATIENCE_S) -> float:
        return self.until(lambda report: report.card.card and report.card.blocks, "the card is open", patience_s)

    def start(self) -> None:
        self._thread.start()
        until(lambda: self.running.present is not None, "it is started")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self._loop.close()

    async def _live(self) -> None:
        running = asyncio.create_task(
            supervise(self.running.health, self.running.open, longest_delay_s=RETRY_S), name="line"
        )
        await self._ending.wait()
        running.cancel()
        await asyncio.wait([running])


class LineIn(_Line[CaptureSettings, CaptureReport]):
    """`packets` are those that were encoded so far, `lit` what the light gets: shape (frames,)."""

    def __init__(self, wanted: str | None, block_frames: int, bit_rate: int) -> None:
        self.packets: list[OpusPacket] = []
        self._lit: list[Samples] = []
        self._generation = self._read = 0
        self._feeds = Feeds(1)
        self._near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._near.setblocking(False)
        settings, reports = Latest(CaptureSettings()), Latest(CaptureReport())
        hear = partial(open_capture, wanted, block_frames, bit_rate, self._feeds)
        super().__init__(
            settings,
            reports,
            partial(hear, lambda: self._feeds.open(PeerId("me"), "me"), self._far, settings, reports, Latest(b"")),
        )

    @property
    def lit(self) -> Samples:
        return np.concatenate(self._lit) if self._lit else np.empty(0, np.float32)

    def heard(self, seconds: float) -> Samples:
        """What peers hear of the packets to come: shape (frames, 2), after the decoder has settled."""
        begin = len(self.packets)
        until(lambda: len(self.decoded(begin)) >= (seconds + 0.1) * SAMPLE_RATE_HZ, f"{seconds} s of packets")
        return self.decoded(begin)[-int(seconds * SAMPLE_RATE_HZ) :]

    def decoded(self, begin: int = 0) -> Samples:
        decoder = Decoder()
        blocks = [decoder.decode(packet.payload) for packet in self.packets[begin:]]
        return np.concatenate(blocks) if blocks else np.empty((0, 2), np.float32)

    async def _live(self) -> None:
        self._loop.add_reader(self._near, self._take)
        self._loop.add_reader(self._feeds.wakes.read_fd, self._light)
        try:
            await super()._live()
        finally:
            self._near.close()
            self._far.close()

    def _take(self) -> None:
        self.packets.append(wire.captured(self._near.recv(wire.MAX_BYTES)))

    def _light(self) -> None:
        for wake in read_wakes(self._feeds.wakes.read_fd):
            begin = Frames(self._read if wake.generation == self._generation else 0)
            self._lit.append(self._feeds.rings.read(wake.slot, begin, wake.written - begin))
            self._generation, self._read = wake.generation, wake.written


class LineOut(_Line[PlaybackSettings, PlaybackReport]):
    def __init__(self, wanted: str | None, block_frames: int) -> None:
        self.desk = Desk(master_volume=1.0)
        reports = Latest(PlaybackReport())
        super().__init__(
            self.desk.settings,
            reports,
            partial(open_playback, wanted, block_frames, self.desk.far, self.desk.settings, reports),
        )

    @contextmanager
    def musician(self, name: str, sound: Samples) -> Iterator["Musician"]:
        """Play `sound`, shape (frames, 2), again and again, until it leaves."""
        channel = self.call(lambda: self.desk.open(PeerId(name), name))
        assert channel is not None
        musician = Musician(channel, sound)
        musician.start()
        try:
            yield musician
        finally:
            musician.stop()
            self.call(channel.close)

    def stop(self) -> None:
        super().stop()
        self.desk.close()


class Musician:
    """Packets of 10 ms each 10 ms, as they would arrive over a perfect network."""

    def __init__(self, channel: DeskChannel, sound: Samples) -> None:
        self.channel = channel
        self._packets = [packet.payload for packet in Packetizer().packets(sound)]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._play)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join(PATIENCE_S)

    def _play(self) -> None:
        began_s, number = time.monotonic(), 0
        while not self._ending.wait(max(0.0, began_s + number * FRAME_FRAMES / SAMPLE_RATE_HZ - time.monotonic())):
            payload = self._packets[number % len(self._packets)]
            now = LocalSeconds(time.monotonic())
            self.channel.put(1, number & 0xFFFF, number * FRAME_FRAMES & 0xFFFFFFFF, payload, now)
            number += 1


@contextmanager
def line_in(
    wanted: str | None, surroundings: Mapping[str, str], block_frames: int = 128, bit_rate: int = BIT_RATE
) -> Iterator[LineIn]:
    """Started in an environment that has `surroundings` as well; its card may be absent."""
    with environment(surroundings):
        line = LineIn(wanted, block_frames, bit_rate)
        line.start()
        try:
            yield line
        finally:
            line.stop()


@contextmanager
def line_out(wanted: str | None, surroundings: Mapping[str, str], block_frames: int = 128) -> Iterator[LineOut]:
    """As above."""
    with environment(surroundings):
        line = LineOut(wanted, block_frames)
        line.start()
        try:
            yield line
        finally:
            line.stop()


def until(holds: Callable[[], object], what: str | Callable[[], str], patience_s: float = PATIENCE_S) -> float:
    """Seconds until it holds; AssertionError if it never does."""
    began_s = time.monotonic()
    while not holds():
        if time.monotonic() - began_s > patience_s:
            raise AssertionError(f"not within {patience_s} s: {what if isinstance(what, str) else what()}")
        time.sleep(LOOK_S)
    return time.monotonic() - began_s


@contextmanager
def environment(added: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(added)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
