"""From a sound card's blocks to Opus packets. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jambridge.audio.opus import BIT_RATE, CHANNELS, FRAME_FRAMES, Encoder, Stereo
from jambridge.units import Frames


@dataclass(frozen=True, slots=True)
class OpusPacket:
    """`pts` counts the frames before it."""

    payload: bytes
    pts: Frames


class Packetizer:
    """`frame_frames`, 240 or 480, may change between two blocks."""

    def __init__(self, bit_rate: int = BIT_RATE, frame_frames: int = FRAME_FRAMES) -> None:
        self.frame_frames = frame_frames
        self._encoder = Encoder(bit_rate)
        self._rest = np.empty((0, CHANNELS), np.float32)
        self._encoded = Frames(0)

    def packets(self, block: Stereo) -> Iterator[OpusPacket]:
        """What is full with `block`, shape (frames, 2), -1..1 at 48 kHz; it must be iterated to its end."""
        samples = np.concatenate([self._rest, block]) if len(self._rest) else block
        at, size = 0, self.frame_frames
        while at + size <= len(samples):
            yield OpusPacket(self._encoder.encode(samples[at : at + size]), self._encoded)
            at += size
            self._encoded = Frames(self._encoded + size)
        self._rest = samples[at:].copy()
