"""Our own packets from the input card's process to every peer; silence while there are none.

A member that says it sends must be heard to be there: else every peer would take its connection for a dead one.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from jambridge.audio.card import wire
from jambridge.audio.opus import CHANNELS, FRAME_FRAMES, Encoder, packet_frames
from jambridge.audio.packetizer import OpusPacket
from jambridge.errors import WireError
from jambridge.peers.outgoing import Outgoing
from jambridge.units import SAMPLE_RATE_HZ, Frames, LocalSeconds

QUIET_S = 0.1  # without a packet: the card is away
LATE_S = 0.1  # silence that is later than this is left out
_STEP_S = FRAME_FRAMES / SAMPLE_RATE_HZ
_SHORTEST_S = 0.001
_MOST_PACKETS = 32  # at once
_LONGEST_GAP = SAMPLE_RATE_HZ
_NONE = -(2**62)


class Timeline:
    """Timestamps of one stream, which go on in step with the clock while its sources come and go. Pure.

    A stream that stood still while the clock went on would be late by as much for ever after.
    """

    def __init__(self, now: LocalSeconds) -> None:
        self.silent_at = now
        """When a packet of silence is due, unless another comes before."""
        self._ends_at = 0
        self._ended_s: float = now  # when the last packet was over
        self._offset = 0
        self._next = _NONE

    def place(self, pts: int, frames: int, now: LocalSeconds) -> Frames:
        """Where a packet of a card's process belongs, whose own count says `pts`."""
        if not 0 <= pts - self._next < _LONGEST_GAP:  # another process, which counts from nought
            passed = round((now - self._ended_s) * SAMPLE_RATE_HZ) - frames
            self._offset = self._ends_at + max(0, passed) - pts
        self._next = pts + frames
        self.silent_at = LocalSeconds(now + QUIET_S)
        return self._put(pts + self._offset, frames, now)

    def fill(self, now: LocalSeconds) -> Frames | None:
        """Where a packet of silence belongs, if one is due."""
        if now < self.silent_at:
            return None
        due_s = now if now - self.silent_at > LATE_S else self.silent_at
        passed = round((due_s - self._ended_s) * SAMPLE_RATE_HZ) - FRAME_FRAMES
        self.silent_at = LocalSeconds(due_s + _STEP_S)
        self._next = _NONE
        return self._put(self._ends_at + max(0, passed), FRAME_FRAMES, due_s)

    def _put(self, at: int, frames: int, now: float) -> Frames:
        self._ends_at, self._ended_s = at + frames, now
        return Frames(at)


class Sending:
    """Use `open_sending`."""

    def __init__(self, outgoing: Outgoing, packets: socket.socket) -> None:
        self._outgoing = outgoing
        self._packets = packets
        self._timeline = Timeline(_now())
        self._silence = Encoder().encode(np.zeros((FRAME_FRAMES, CHANNELS), np.float32))

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._packets, self._take)
        try:
            await self._fill_in()
        finally:
            loop.remove_reader(self._packets)

    def _take(self) -> None:
        for _ in range(_MOST_PACKETS):
            try:
                packet = wire.captured(self._packets.recv(wire.MAX_BYTES))
                frames = packet_frames(packet.payload)
            except BlockingIOError:
                return
            except WireError:
                continue
            self._outgoing.put(OpusPacket(packet.payload, self._timeline.place(packet.pts, frames, _now())))

    async def _fill_in(self) -> None:
        while True:
            await asyncio.sleep(max(self._timeline.silent_at - _now(), _SHORTEST_S))
            while (at := self._timeline.fill(_now())) is not None:
                self._outgoing.put(OpusPacket(self._silence, at))


def _now() -> LocalSeconds:
    return LocalSeconds(time.monotonic())


@asynccontextmanager
async def open_sending(outgoing: Outgoing, packets: socket.socket) -> AsyncIterator[Sending]:
    """Send what comes out of `packets`, the near end of a socket whose far one the card's process has."""
    yield Sending(outgoing, packets)
