"""Everyone who is heard, or plays over MIDI, or both: one Hearing a source, one Keyed a player, and what they give."""

import math
import time
from collections.abc import Callable, Iterable, Iterator

from jambridge.audio.ring import Rings, Wake
from jambridge.audio.source import Source
from jambridge.light import spectrum
from jambridge.light.control import MidiPlayer, SourceReport
from jambridge.light.effects import Part
from jambridge.light.hearing import Hearing
from jambridge.light.keyed import Keyed
from jambridge.light.presenting import Timing
from jambridge.light.zones import Player
from jambridge.units import LocalSeconds, PeerId

_OF_NEWEST = 0.05

Listen = Callable[[Source], Hearing]


class Ensemble:
    """Sources are known by slot and generation: a slot used again is a new source that remembers nothing."""

    def __init__(self, rings: Rings, listen: Listen) -> None:
        self._rings = rings
        self._listen = listen
        self._hearings: dict[int, Hearing] = {}
        self._keyed: dict[PeerId, Keyed] = {}
        self.has_news = False
        """A key was struck or let go over MIDI since the last `advance`."""
        self.has_members = False
        """There is anybody but ourselves."""
        self._timing = Timing()
        self._phase_s = 0.0
        self.hop_s = 0.0
        """How long it lately took to find the notes of one hop."""
        self.detector_s = 0.0
        """Seconds of processor time spent on detection."""

    def set_sources(self, sources: Iterable[Source]) -> None:
        before, self._hearings = self._hearings, {}
        for source in sources:
            hearing = before.get(source.slot)
            if hearing is None or hearing.source.generation != source.generation:
                hearing = self._listen(source)
            hearing.source = source
            self._hearings[source.slot] = hearing
        self._look_around()

    def set_midi(self, players: Iterable[MidiPlayer], now: LocalSeconds) -> None:
        """All that is played over MIDI."""
        before, self._keyed = self._keyed, {}
        for player in players:
            keyed = self._keyed[player.id] = before.get(player.id) or Keyed(player)
            self.has_news |= keyed.follow(player, now)
        self.has_news |= any(keyed.sounds(now) for one, keyed in before.items() if one not in self._keyed)
        self._look_around()

    def set_listen(self, listen: Listen) -> None:
        """Listen anew to everyone, another way."""
        self._listen = listen
        self._hearings = {slot: listen(hearing.source) for slot, hearing in self._hearings.items()}
        self._set_timing()

    def set_timing(self, timing: Timing) -> None:
        """When what is heard and played over MIDI is shown; its moments are of our own time."""
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
                began_s = time.thread_time()
                attacked = hearing.receive(self._rings, wake, now)
                self.detector_s += time.thread_time() - began_s
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
        began, began_s = time.monotonic(), time.thread_time()
        end = hearing.detect()
        self.detector_s += time.thread_time() - began_s
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
        """Show what is due; whether there is an attack or another note in it, or news of MIDI."""
        changed = [hearing.advance(now, self._played(hearing, now)) for hearing in self._hearings.values()]
        has_news, self.has_news = self.has_news, False
        return has_news or any(changed)

    def _look_around(self) -> None:
        players: list[Player] = [hearing.source for hearing in self._hearings.values()]
        players += [keyed.player for keyed in self._keyed.values()]
        self.has_members = any(not player.is_line_in for player in players)
        self._set_timing()

    def _set_timing(self) -> None:
        for hearing in self._hearings.values():
            hearing.set_timing(self._timing, self._phase_s)
        for keyed in self._keyed.values():
            keyed.set_timing(self._timing)

    def parts(self, now: LocalSeconds, *, with_bands: bool = False) -> list[tuple[Player, Part]]:
        """Everyone's, line-in or not: those that are heard in the order of their slots, then those without sound."""
        found: list[tuple[Player, Part]] = []
        for _, hearing in sorted(self._hearings.items()):
            bands = spectrum.bands(hearing.newest(self._rings, spectrum.FRAMES, now)) if with_bands else None
            heard, keyed = hearing.part(now, bands), self._keyed.get(hearing.source.id)
            found.append((hearing.source, keyed.beside(heard, now) if keyed else heard))
        return found + [(keyed.player, keyed.part(now)) for keyed in self._unheard()]

    def is_heard(self, now: LocalSeconds) -> bool:
        """Whether there is sound, and not only what is played over MIDI."""
        return any(hearing.sounds(now) for hearing in self._hearings.values())

    def sounds(self, now: LocalSeconds) -> bool:
        return self.is_heard(now) or any(keyed.sounds(now) for keyed in self._keyed.values())

    def report(self, now: LocalSeconds) -> tuple[SourceReport, ...]:
        reports = []
        for hearing in self._hearings.values():
            heard, keyed = hearing.report(now), self._keyed.get(hearing.source.id)
            reports.append(keyed.report_beside(heard, now) if keyed else heard)
        return (*reports, *(keyed.report(now) for keyed in self._unheard()))

    def _played(self, hearing: Hearing, now: LocalSeconds) -> frozenset[int]:
        keyed = self._keyed.get(hearing.source.id)
        return keyed.pitch_classes(now) if keyed else frozenset()

    def _unheard(self) -> list[Keyed]:
        heard = {hearing.source.id for hearing in self._hearings.values()}
        return [keyed for one, keyed in self._keyed.items() if one not in heard]
