"""Our own sound on its way out: encoded once, a short queue a peer."""

from typing import Any

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import Packet
from numpy.typing import NDArray

from jambridge.audio.opus import BIT_RATE, CHANNELS, FRAME_FRAMES, TIME_BASE, OpusEncoder, OpusPacket
from jambridge.edges import Dropping

QUEUE_PACKETS = 5  # 50 ms: what is older is worse than lost


class Outgoing:
    """Takes blocks of any length, and gives every connection a track of the same packets. Used on the event loop."""

    def __init__(self, bit_rate: int = BIT_RATE) -> None:
        self._encoder = OpusEncoder(bit_rate)
        self._rest = np.empty((0, CHANNELS), np.float32)
        self._tracks: set[PacketTrack] = set()

    def write(self, block: NDArray[np.float32]) -> None:
        """Send `block`, shape (frames, 2), -1..1 at 48 kHz, as far as it fills frames of 10 ms."""
        samples = np.concatenate([self._rest, block])
        whole = len(samples) // FRAME_FRAMES * FRAME_FRAMES
        for start in range(0, whole, FRAME_FRAMES):
            packet = self._encoder.encode(samples[start : start + FRAME_FRAMES])
            for track in self._tracks:
                track.put(packet)
        self._rest = samples[whole:]

    def track(self) -> "PacketTrack":
        """A track for one more connection; stopping it ends its share."""
        track = PacketTrack(self._tracks)
        self._tracks.add(track)
        return track

    @property
    def dropped(self) -> int:
        """Packets that a present connection did not take in time."""
        return sum(track.packets.dropped for track in self._tracks)


class PacketTrack(MediaStreamTrack):
    """Encoded sound for aiortc, which sends packets as they are, without a thread and without measuring a level."""

    kind = "audio"

    def __init__(self, siblings: set["PacketTrack"]) -> None:
        super().__init__()
        self.packets = Dropping[OpusPacket](QUEUE_PACKETS)
        self._siblings = siblings
        self._sending = False

    def put(self, packet: OpusPacket) -> None:
        if self._sending:  # what was played before the connection stood is not sent late
            self.packets.put(packet)

    async def recv(self) -> "Packet[Any]":
        if self.readyState != "live":
            raise MediaStreamError
        self._sending = True
        encoded = await self.packets.get()
        packet = Packet(encoded.payload)
        packet.pts = encoded.pts
        packet.time_base = TIME_BASE
        return packet

    def stop(self) -> None:
        self._siblings.discard(self)
        super().stop()
