"""Hands each source's sound to the light process: a ring slot a source, and news of what was written."""

from jambridge.audio.ring import Feed, Rings, WakePipe
from jambridge.audio.source import Source
from jambridge.edges import Latest
from jambridge.units import SAMPLE_RATE_HZ, PeerId

RING_FRAMES = SAMPLE_RATE_HZ  # one second: a reader that lags by more starts anew at the newest


class Feeds:
    """All slots. `sources` says who is in them; it outlives the services on either side."""

    def __init__(self, slots: int) -> None:
        self.rings = Rings.create(slots, RING_FRAMES)
        self.wakes = WakePipe()
        self.sources: Latest[tuple[Source, ...]] = Latest(())
        self._generations = [0] * slots

    def open(self, peer: PeerId, name: str, *, is_line_in: bool = False, instrument: str = "") -> Feed | None:
        """A feed for one more source; None when every slot is taken."""
        taken = {source.slot for source in self.sources.value}
        free = next((slot for slot in range(self.rings.slots) if slot not in taken), None)
        if free is None:
            return None
        self._generations[free] += 1
        source = Source(free, self._generations[free], peer, name, is_line_in, instrument)
        self.sources.set((*self.sources.value, source))
        return Feed(self.rings, self.wakes, source, self.release)

    def close(self) -> None:
        self.rings.close()
        self.wakes.close()

    def release(self, source: Source) -> None:
        self.sources.set(tuple(other for other in self.sources.value if other != source))
