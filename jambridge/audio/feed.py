"""Hands each source's sound to the light process: a ring slot a source, and news of what was written."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.ring import Rings, Wake, WakePipe, WakeWriter
from jambridge.audio.source import Source
from jambridge.edges import Latest
from jambridge.units import SAMPLE_RATE_HZ, Frames, LocalSeconds, PeerId

RING_FRAMES = SAMPLE_RATE_HZ  # one second: a reader that lags by more starts anew at the newest


class Feed:
    """The writing end of one source. Never raises and never blocks: it is called from within packet reception."""

    def __init__(
        self, rings: Rings, wakes: WakeWriter, source: Source, release: Callable[[Source], None] = lambda _: None
    ) -> None:
        self.source = source
        self.written = Frames(0)
        self._rings = rings
        self._wakes = wakes
        self._release = release

    def write(self, block: NDArray[np.float32]) -> None:
        """Append `block`, shape (frames, channels), -1..1 at 48 kHz; channels are averaged."""
        channels = block.shape[1]
        mono = (block @ np.full(channels, 1 / channels, np.float32))[-RING_FRAMES:]  # a fifth of the time of mean()
        self._rings.write(self.source.slot, self.written, mono)
        self.written = Frames(self.written + len(mono))
        now = LocalSeconds(time.monotonic())
        self._wakes.send(Wake(self.source.slot, self.source.generation, self.written, now))

    def close(self) -> None:
        self._release(self.source)


class Feeds:
    """All slots. `sources` says who is in them; it outlives the services on either side."""

    def __init__(self, slots: int) -> None:
        self.rings = Rings.create(slots, RING_FRAMES)
        self.wakes = WakePipe()
        self.sources: Latest[tuple[Source, ...]] = Latest(())
        self._generations = [0] * slots

    def open(self, peer: PeerId, name: str, *, is_line_in: bool = False) -> Feed | None:
        """A feed for one more source; None when every slot is taken."""
        taken = {source.slot for source in self.sources.value}
        free = next((slot for slot in range(self.rings.slots) if slot not in taken), None)
        if free is None:
            return None
        self._generations[free] += 1
        source = Source(free, self._generations[free], peer, name, is_line_in)
        self.sources.set((*self.sources.value, source))
        return Feed(self.rings, self.wakes, source, self.release)

    def release(self, source: Source) -> None:
        self.sources.set(tuple(other for other in self.sources.value if other != source))
