"""Our own packets from the input card's process to every peer; silence while there are none.

A member that says it sends must be heard to be there: else every peer would take its connection for a dead one.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from jambridge.audio import wire
from jambridge.audio.opus import CHANNELS, FRAME_FRAMES, Encoder, packet_frames
from jambridge.audio.packetizer import OpusPacket
from jambridge.errors import WireError
from jambridge.peers.outgoing import Outgoing
from jambridge.units import SAMPLE_RATE_HZ, Frames

QUIET_S = 0.1  # without a packet: the card is away
_STEP_S = FRAME_FRAMES / SAMPLE_RATE_HZ
_SHORTEST_S = 0.001
_MOST_PACKETS = 32  # at once
_LONGEST_GAP = SAMPLE_RATE_HZ
_NONE = -(2**62)


class Sending:
    """Use `open_sending`. The stream's time goes on over every start of the card's process."""

    def __init__(self, outgoing: Outgoing, packets: socket.socket) -> None:
        self._outgoing = outgoing
        self._packets = packets
        self._offset = self._ends_at = 0
        self._next = _NONE
        self._silent_at = time.monotonic()
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
            self._send(packet, frames)

    def _send(self, packet: OpusPacket, frames: int) -> None:
        if not 0 <= packet.pts - self._next < _LONGEST_GAP:  # another process, which counts from nought
            self._offset = self._ends_at - packet.pts
        self._next = packet.pts + frames
        self._silent_at = time.monotonic() + QUIET_S
        self._put(packet.payload, packet.pts + self._offset, frames)

    def _put(self, payload: bytes, at: int, frames: int) -> None:
        self._ends_at = at + frames
        self._outgoing.put(OpusPacket(payload, Frames(at)))

    async def _fill_in(self) -> None:
        while True:
            await asyncio.sleep(max(self._silent_at - time.monotonic(), _SHORTEST_S))
            while self._silent_at <= time.monotonic():
                self._silent_at = max(self._silent_at + _STEP_S, time.monotonic() - QUIET_S)
                self._next = _NONE
                self._put(self._silence, self._ends_at, FRAME_FRAMES)


@asynccontextmanager
async def open_sending(outgoing: Outgoing, packets: socket.socket) -> AsyncIterator[Sending]:
    """Send what comes out of `packets`, the near end of a socket whose far one the card's process has."""
    yield Sending(outgoing, packets)
