"""Streaming ACN: a frame of pixels as universes of channels, one in a UDP payload, and back. Pure.

Source: ANSI E1.31-2018, tables 4-1, 5-1 and 6-1 (data packet); receiver behaviour from WLED 6d16dc2 e131.cpp
`handleE131Packet`: preview data is dropped, "stream terminated" is data like any other, addresses and sync are ignored.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.errors import WireError

PORT = 5568
RGB_PIXELS = 170  # a universe, in WLED's multi-RGB mode
RGBW_PIXELS = 128
PRIORITY = 100  # 6.2.3: of a source that has no reason for another
LAST_UNIVERSE = 63_999  # 6.2.7
TERMINATIONS = 3  # 6.2.6: packets that say that a stream ends

_ACN = b"ASC-E1.17\x00\x00\x00"
_ROOT_DATA, _FRAME_DATA, _SET_PROPERTY = 4, 2, 2
_HEADER = 126  # bytes up to the first channel, the start code included
_PREVIEW = 0x80
_TERMINATED = 0x40
_CHANNELS = 512
_ROOT = struct.Struct("!HH12sHI16s")  # preamble, postamble, identifier, length, vector, CID
_FRAME = struct.Struct("!HI64sBHBBH")  # length, vector, source, priority, synchronisation, sequence, options, universe
_DMP = struct.Struct("!HBBHHHB")  # length, vector, type, first address, increment, count, start code
_LENGTH = 0x7000  # the low twelve bits count from here to the packet's end
_ABSOLUTE = 0xA1  # addresses and data of two bytes and one
_SEQUENCE, _OPTIONS = 111, 112  # places in a packet
_NAME_BYTES = 63  # a null follows


@dataclass(frozen=True, slots=True)
class Packet:
    universe: int
    sequence: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: `cid` are the 16 bytes that stay a component's own, of a `name` 63 bytes in UTF-8 are sent."""

    cid: bytes
    name: str
    priority: int = PRIORITY


def pixels_a_universe(channels: int) -> int:
    return RGB_PIXELS if channels == 3 else RGBW_PIXELS  # noqa: PLR2004  RGB


def universes(pixels: int, channels: int, first: int) -> range:
    """The numbers of those that a strip takes; pixels beyond the last universe there is have none."""
    return range(first, min(first - (-pixels // pixels_a_universe(channels)), LAST_UNIVERSE + 1))


def group(universe: int) -> str:
    """The multicast address of one universe: 9.3.1."""
    return f"239.255.{universe >> 8}.{universe & 0xFF}"


class Encoder:
    """Frames of one strip. Its headers are made once.

    Args:
        sender: who sends.
        first: the universe of the first pixel.
        pixels: how many a frame has.
        channels: 3 (RGB) or 4 (RGBW) a pixel.
    """

    def __init__(self, sender: Sender, first: int, pixels: int, channels: int) -> None:
        self._size = pixels_a_universe(channels) * channels
        places = universes(pixels, channels, first)
        counts = [min(self._size, pixels * channels - place * self._size) for place in range(len(places))]
        self._heads = [_head(sender, one, count) for one, count in zip(places, counts, strict=True)]

    def encode(self, pixels: NDArray[np.uint8], frame_index: int, *, terminated: bool = False) -> Iterator[bytes]:
        """The universes of one frame, in order.

        Args:
            pixels: shape (pixels, channels).
            frame_index: any counter rising by one a frame.
            terminated: nothing follows; WLED takes this one for data like any other.
        """
        frame = pixels.tobytes()
        for place, head in enumerate(self._heads):
            head[_SEQUENCE] = frame_index & 0xFF
            head[_OPTIONS] = _TERMINATED if terminated else 0
            yield bytes(head) + frame[place * self._size : (place + 1) * self._size]


def _head(sender: Sender, universe: int, count: int) -> bytearray:
    """All before the first of `count` channels."""
    whole = _HEADER + count
    name = sender.name.encode()[:_NAME_BYTES].decode(errors="ignore").encode()  # no half letter
    root = _ROOT.pack(16, 0, _ACN, _LENGTH | (whole - 16), _ROOT_DATA, sender.cid)
    frame = _FRAME.pack(_LENGTH | (whole - 38), _FRAME_DATA, name, sender.priority, 0, 0, 0, universe)
    dmp = _DMP.pack(_LENGTH | (whole - 115), _SET_PROPERTY, _ABSOLUTE, 0, 1, count + 1, 0)
    return bytearray(root + frame + dmp)


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
