"""Opus packets between the main process and those of the sound cards: one to a packet of a local socket. Pure."""

import struct
from dataclasses import dataclass

from jambridge.audio.packetizer import OpusPacket
from jambridge.errors import WireError
from jambridge.units import Frames, LocalSeconds

MAX_BYTES = 2048  # what came in one datagram of a network, and our header
_HEARD = struct.Struct("=BIIHId")
_CAPTURED = struct.Struct("=Q")


@dataclass(frozen=True, slots=True)
class HeardPacket:
    """A peer's packet on its way to the loudspeaker.

    `slot` and `generation` say whose; `stream` is another with each connection and each of its sources, whose
    `sequence` and `timestamp` (RTP's, of 16 and 32 bits) begin anew.
    """

    slot: int
    generation: int
    stream: int
    sequence: int
    timestamp: int
    arrived_at: LocalSeconds
    payload: bytes

    def encode(self) -> bytes:
        numbers = (self.slot, self.generation, self.stream, self.sequence, self.timestamp, self.arrived_at)
        return _HEARD.pack(*numbers) + self.payload


def heard(packet: bytes) -> HeardPacket:
    """Raises WireError if it is none."""
    if len(packet) < _HEARD.size:
        raise WireError("too short for a packet of sound")
    slot, generation, stream, sequence, timestamp, arrived_at = _HEARD.unpack_from(packet)
    return HeardPacket(slot, generation, stream, sequence, timestamp, LocalSeconds(arrived_at), packet[_HEARD.size :])


def encode_captured(packet: OpusPacket) -> bytes:
    """Our own sound on its way to the peers."""
    return _CAPTURED.pack(packet.pts) + packet.payload


def captured(packet: bytes) -> OpusPacket:
    """Raises WireError if it is none."""
    if len(packet) <= _CAPTURED.size:
        raise WireError("too short for a packet of sound")
    return OpusPacket(packet[_CAPTURED.size :], Frames(_CAPTURED.unpack_from(packet)[0]))
