"""Our own sound on its way out: encoded once, a short queue a peer."""

from fractions import Fraction
from typing import Any

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import Packet

from jambridge.audio.opus import Stereo
from jambridge.audio.packetizer import OpusPacket, Packetizer
from jambridge.edges import Dropping
from jambridge.units import SAMPLE_RATE_HZ

QUEUE_PACKETS = 8  # 20 to 80 ms: what is older is worse than lost
_TIME_BASE = Fraction(1, SAMPLE_RATE_HZ)


class Outgoing:
    """Gives every connection a track of the same packets. Used on the event loop."""

    def __init__(self) -> None:
        self._tracks: set[PacketTrack] = set()
        self._packetizer = Packetizer()

    def put(self, packet: OpusPacket) -> None:
        """Send what a sound card's process has encoded."""
        for track in self._tracks:
            track.put(packet)

    def write(self, block: Stereo) -> None:
        """Send `block`, shape (frames, 2), -1..1 at 48 kHz, as far as it fills packets of 10 ms."""
        for packet in self._packetizer.packets(block):
            self.put(packet)

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
        packet.time_base = _TIME_BASE
        return packet

    def stop(self) -> None:
        self._siblings.discard(self)
        super().stop()
