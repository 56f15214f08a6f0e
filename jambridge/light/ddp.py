"""Distributed Display Protocol: one frame of pixels as UDP payloads, and back. Pure.

Source: http://www.3waylabs.com/ddp/ "Packet header"; receiver behaviour from
WLED 6d16dc2 e131.cpp `handleDDPPacket`, which renders when PUSH arrives.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.errors import WireError

PORT = 4048
MAX_DATA = 1440  # bytes; 480 RGB or 360 RGBW pixels, one Ethernet frame

_HEADER = struct.Struct("!BBBBIH")  # flags, sequence, type, destination, offset, length
_VERSION_1 = 0x40
_TIMECODE = 0x10
_REPLY = 0x04
_QUERY = 0x02
_PUSH = 0x01
_DISPLAY = 1
_TYPE_BY_CHANNELS = {3: 0x0B, 4: 0x1B}  # RGB, RGBW; 8 bits per channel
_BITS_OF_TYPE = 0b0011_1000
_RGBW = 0b0001_1000  # anything else is read as RGB
_NOT_PIXELS = (246, 250, 251)  # destinations: DMX legs, JSON config, JSON control


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as WLED understands it: `data` goes to the pixels from `first_pixel` on."""

    first_pixel: int
    channels: int
    data: bytes
    sequence: int
    push: bool


def encode(pixels: NDArray[np.uint8], frame_index: int) -> Iterator[bytes]:
    """Yield the packets of one frame; only the last asks the display to show it.

    Args:
        pixels: shape (pixels, channels), channels 3 (RGB) or 4 (RGBW).
        frame_index: any counter rising by one per frame; sent as 1..15, since
            0 means "unsequenced".

    Raises:
        ValueError: `pixels` is empty or has another shape.
    """
    if pixels.ndim != 2 or not len(pixels) or pixels.shape[1] not in _TYPE_BY_CHANNELS:  # noqa: PLR2004  two axes
        raise ValueError(f"pixels must be (n, 3) or (n, 4), not {pixels.shape}")
    kind = _TYPE_BY_CHANNELS[pixels.shape[1]]
    sequence = frame_index % 15 + 1
    frame = pixels.tobytes()
    for offset in range(0, len(frame), MAX_DATA):
        chunk = frame[offset : offset + MAX_DATA]
        last = offset + MAX_DATA >= len(frame)
        flags = _VERSION_1 | (_PUSH if last else 0)
        yield _HEADER.pack(flags, sequence, kind, _DISPLAY, offset, len(chunk)) + chunk


def decode(packet: bytes) -> Packet:
    """Read a packet by WLED's rules: the data type only tells RGBW from RGB, the timecode is skipped.

    Raises:
        WireError: WLED would drop it: too short, a query or reply, not for the pixels. Nothing else is raised.
    """
    if len(packet) < _HEADER.size:
        raise WireError(f"{len(packet)} bytes are no DDP packet")
    flags, sequence, kind, destination, offset, length = _HEADER.unpack_from(packet)
    if destination in _NOT_PIXELS or flags & (_QUERY | _REPLY):
        raise WireError("not pixels")
    start = _HEADER.size + (4 if flags & _TIMECODE else 0)
    if len(packet) < start + length:
        raise WireError(f"{len(packet)} bytes are fewer than the header says")
    channels = 4 if kind & _BITS_OF_TYPE == _RGBW else 3
    whole = length // channels * channels
    return Packet(offset // channels, channels, packet[start : start + whole], sequence & 0x0F, bool(flags & _PUSH))
