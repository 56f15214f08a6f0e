"""Streaming ACN: one universe of channels in a UDP payload, as WLED reads it. Pure.

Source: ANSI E1.31-2018, tables 4-1, 5-1 and 6-1 (data packet); receiver behaviour from WLED 6d16dc2 e131.cpp
`handleE131Packet`: preview data is dropped, "stream terminated" is data like any other, addresses and sync are ignored.
"""

import struct
from dataclasses import dataclass

from jambridge.errors import WireError

PORT = 5568
RGB_PIXELS = 170  # a universe, in WLED's multi-RGB mode
RGBW_PIXELS = 128

_ACN = b"ASC-E1.17\x00\x00\x00"
_ROOT_DATA, _FRAME_DATA, _SET_PROPERTY = 4, 2, 2
_HEADER = 126  # bytes up to the first channel, the start code included
_PREVIEW = 0x80
_CHANNELS = 512


@dataclass(frozen=True, slots=True)
class Packet:
    universe: int
    sequence: int
    data: bytes


def decode(packet: bytes) -> Packet:
    """Raises WireError, and nothing else, for what WLED would drop."""
    if len(packet) < _HEADER or packet[4:16] != _ACN:
        raise WireError("no E1.31 packet")
    (root,) = struct.unpack_from("!I", packet, 18)
    (frame,) = struct.unpack_from("!I", packet, 40)
    sequence, options, universe = struct.unpack_from("!BBH", packet, 111)
    (count,) = struct.unpack_from("!H", packet, 123)
    if (root, frame, packet[117]) != (_ROOT_DATA, _FRAME_DATA, _SET_PROPERTY) or packet[125] != 0:
        raise WireError("no E1.31 channels")
    if options & _PREVIEW:
        raise WireError("preview data")
    if not 1 <= count <= _CHANNELS + 1 or len(packet) < _HEADER - 1 + count:
        raise WireError(f"{count} properties do not fit")
    return Packet(universe, sequence, packet[_HEADER : _HEADER - 1 + count])
