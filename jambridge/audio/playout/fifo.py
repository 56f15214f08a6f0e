"""Blocks of any length in, blocks of any other length out. Pure."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

Stereo = NDArray[np.float32]


class Fifo:
    """Blocks of shape (frames, 2). A block put in belongs to the fifo, one taken out to who takes it."""

    def __init__(self) -> None:
        self.frames = 0
        self._blocks: deque[Stereo] = deque()

    def put(self, block: Stereo) -> None:
        if len(block):
            self._blocks.append(block)
            self.frames += len(block)

    def take(self, frames: int) -> Stereo:
        """The oldest `frames`, which must be there; without a copy where one block has them all."""
        self.frames -= frames
        if self._blocks and len(self._blocks[0]) > frames:
            block = self._blocks[0]
            self._blocks[0] = block[frames:]
            return block[:frames]
        return self._joined(frames)

    def _joined(self, frames: int) -> Stereo:
        out = np.empty((frames, 2), np.float32)
        filled = 0
        while filled < frames:
            block = self._blocks.popleft()
            part = block[: frames - filled]
            out[filled : filled + len(part)] = part
            filled += len(part)
            if len(part) < len(block):
                self._blocks.appendleft(block[len(part) :])
        return out
