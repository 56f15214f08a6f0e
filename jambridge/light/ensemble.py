"""Everyone who is heard: one Hearing a source, and what they play together."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from jambridge.audio.ring import Rings, Wake
from jambridge.audio.source import Source
from jambridge.light import spectrum
from jambridge.light.control import SourceReport
from jambridge.light.effects import Part
from jambridge.light.hearing import Hearing
from jambridge.light.presenting import Timing
from jambridge.units import LocalSeconds

_OF_NEWEST = 0.05

Listen = Callable[[Source], Hearing]


class Ensemble:
    """Sources are known by slot and generation: a slot used again is a new source that remembers nothing."""

    def __init__(self, rings: Rings, listen: Listen) -> None:
        self._rings = rings
        self._listen = listen
        self._hearings: dict[int, Hearing] = {}
        self._timing = Timing()
        self._phase_s = 0.0
        self.hop_s = 0.0
        """How long it lately took to find the notes of one hop."""
        self.detector_s = 0.0
        """Seconds of processor time spent on detection."""

    @property
    def has_members(self) -> bool:
        """Whether anybody but our own line-in is heard."""
        return any(not hearing.source.is_line_in for hearing in self._hearings.values())

    def set_sources(self, sources: Iterable[Source]) -> None:
        before, self._hearings = self._hearings, {}
        for source in sources:
            hearing = before.get(source.slot)
            if hearing is None or hearing.source.generation != source.generation:
                hearing = self._listen(source)
            hearing.source = source
            self._hearings[source.slot] = hearing
        self._set_timing()

    def set_listen(self, listen: Listen) -> None:
        """Listen anew to everyone, another way."""
        self._listen = listen
        self._hearings = {slot: listen(hearing.source) for slot, hearing in self._hearings.items()}
        self._set_timing()

    def set_timing(self, timing: Timing) -> None:
        """When what is heard from now on is shown."""
        self._timing = timing
        self._set_timing()

    def set_phase(self, phase_s: float) -> None:
        """How far room time is ahead of ours, whole ticks apart."""
        self._phase_s = phase_s
        self._set_timing()

    def receive(self, wakes: Iterable[Wake], now: LocalSeconds) -> Iterator[bool]:
        """Take in the newest sound of every slot, source by source; whether each attacked a note."""
        newest = {wake.slot: wake for wake in wakes}
        for wake in newest.values():
            hearing = self._hearings.get(wake.slot)
            if hearing and hearing.source.generation == wake.generation:
                with self._timed():
                    attacked = hearing.receive(self._rings, wake, now)
                yield attacked

    def attend(self, wakes: Iterable[Wake]) -> None:
        """Take note that sound arrives, and do not listen."""
        for wake in wakes:
            hearing = self._hearings.get(wake.slot)
            if hearing and hearing.source.generation == wake.generation:
                hearing.attend(wake)

    def has_hop(self) -> bool:
        """Whether notes are to be found in what was received."""
        return any(hearing.has_hop() for hearing in self._hearings.values())

    def detect(self) -> None:
        """Find the notes of one hop, if there is one."""
        hearing = next((one for one in self._hearings.values() if one.has_hop()), None)
        if hearing is None:
            return
        began = time.monotonic()
        with self._timed():
            end = hearing.detect()
        ended = time.monotonic()
        self.hop_s += (ended - began - self.hop_s) * _OF_NEWEST
        hearing.known(end, LocalSeconds(ended))

    @property
    def due(self) -> LocalSeconds:
        """When the next of what is known already is to be shown."""
        return min((hearing.due for hearing in self._hearings.values()), default=LocalSeconds(math.inf))

    @property
    def needs_s(self) -> float | None:
        """How long after they were played nearly all notes are known, of whoever is the latest."""
        return max((one for hearing in self._hearings.values() if (one := hearing.needs_s) is not None), default=None)

    def advance(self, now: LocalSeconds) -> bool:
        """Show what is due; whether there is an attack or another note in it."""
        changed = [hearing.advance(now) for hearing in self._hearings.values()]
        return any(changed)

    def _set_timing(self) -> None:
        for hearing in self._hearings.values():
            way_s = self._timing.way_s(hearing.source.id)
            hearing.set_timing(self._timing.delay_s, way_s, self._phase_s)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started_s = time.thread_time()
        yield
        self.detector_s += time.thread_time() - started_s

    def parts(self, now: LocalSeconds, *, with_bands: bool = False) -> list[tuple[Source, Part]]:
        """Everyone's, line-in or not, in the order of their slots."""
        found = []
        for slot in sorted(self._hearings):
            hearing = self._hearings[slot]
            bands = spectrum.bands(hearing.newest(self._rings, spectrum.FRAMES, now)) if with_bands else None
            found.append((hearing.source, hearing.part(now, bands)))
        return found

    def flash(self, now: LocalSeconds) -> float:
        return max((hearing.flash(now) for hearing in self._hearings.values()), default=0.0)

    def sounds(self, now: LocalSeconds) -> bool:
        return any(hearing.sounds(now) for hearing in self._hearings.values())

    def report(self, now: LocalSeconds) -> tuple[SourceReport, ...]:
        return tuple(hearing.report(now) for hearing in self._hearings.values())
