"""What the line-in hears, as the light would get it: through shared memory, by wake-ups."""

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.feed import Feeds
from jambridge.audio.ring import read_wakes
from jambridge.units import Frames


class Recording:
    """The line-in as the light gets it: shape (frames,), 48 kHz, whole."""

    def __init__(self, feeds: Feeds) -> None:
        self.frames = 0
        self.starts = 0
        """Of the card's process: more than one, and the recording has a hole."""
        self._feeds = feeds
        self._blocks: list[NDArray[np.float32]] = []
        self._generation = 0
        self._read = Frames(0)

    @property
    def samples(self) -> NDArray[np.float32]:
        return np.concatenate([np.zeros(0, np.float32), *self._blocks])

    def take(self) -> None:
        for wake in read_wakes(self._feeds.wakes.read_fd):
            if wake.generation != self._generation:
                self._generation, self._read = wake.generation, Frames(0)
                self.starts += 1
            block = self._feeds.rings.read(wake.slot, self._read, wake.written - self._read)
            self._blocks.append(block)
            self._read = wake.written
            self.frames += len(block)
