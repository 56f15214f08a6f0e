"""Everyone who is heard, or plays over MIDI, or both: one Hearing a source, one Keyed a player, and what they give."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from jambridge.audio.ring import Rings, Wake
from jambridge.audio.source import Source
from jambridge.light import spectrum
from jambridge.light.control import MidiPlayer, SourceReport
from jambridge.light.effects import Part
from jambridge.light.hearing import Hearing
from jambridge.light.keyed import Keyed
from jambridge.light.zones import Player
from jambridge.units import LocalSeconds, PeerId

Listen = Callable[[Source], Hearing]


class Ensemble:
    """Sources are known by slot and generation: a slot used again is a new source that remembers nothing."""

    def __init__(self, rings: Rings, listen: Listen) -> None:
        self._rings = rings
        self._listen = listen
        self._hearings: dict[int, Hearing] = {}
        self._keyed: dict[PeerId, Keyed] = {}
        self.detector_s = 0.0
        """Seconds of processor time spent on detection."""

    @property
    def has_members(self) -> bool:
        """Whether there is anybody but ourselves."""
        players: list[Player] = [hearing.source for hearing in self._hearings.values()]
        players += [keyed.player for keyed in self._keyed.values()]
        return any(not player.is_line_in for player in players)

    def set_sources(self, sources: Iterable[Source]) -> None:
        before, self._hearings = self._hearings, {}
        for source in sources:
            hearing = before.get(source.slot)
            if hearing is None or hearing.source.generation != source.generation:
                hearing = self._listen(source)
            hearing.source = source
            self._hearings[source.slot] = hearing

    def set_midi(self, players: Iterable[MidiPlayer], now: LocalSeconds) -> bool:
        """All that is played over MIDI; whether anybody has begun or ended a note."""
        before, self._keyed = self._keyed, {}
        has_news = False
        for player in players:
            keyed = self._keyed[player.id] = before.get(player.id) or Keyed(player)
            has_news |= keyed.follow(player, now)
        for hearing in self._hearings.values():
            if played := self._played(hearing, now):
                hearing.leave(played, now)
        return has_news or any(keyed.sounds(now) for one, keyed in before.items() if one not in self._keyed)

    def set_listen(self, listen: Listen) -> None:
        """Listen anew to everyone, another way."""
        self._listen = listen
        self._hearings = {slot: listen(hearing.source) for slot, hearing in self._hearings.items()}

    def receive(self, wakes: Iterable[Wake], now: LocalSeconds) -> Iterator[bool]:
        """Take in the newest sound of every slot, source by source; whether each attacked a note."""
        newest = {wake.slot: wake for wake in wakes}
        for wake in newest.values():
            hearing = self._hearings.get(wake.slot)
            if hearing and hearing.source.generation == wake.generation:
                with self._timed():
                    attacked = hearing.receive(self._rings, wake, now)
                yield attacked

    def detect(self, now: LocalSeconds) -> Iterator[bool]:
        """Find the notes in what was received, hop by hop, so that a frame due meanwhile need not wait for all.

        Whether others sound than before each hop.
        """
        for hearing in list(self._hearings.values()):
            while hearing.has_hop():
                with self._timed():
                    changed = hearing.detect(self._played(hearing, now))
                yield changed

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started_s = time.thread_time()
        yield
        self.detector_s += time.thread_time() - started_s

    def parts(self, now: LocalSeconds, *, with_bands: bool = False) -> list[tuple[Player, Part]]:
        """Everyone's, line-in or not: those that are heard in the order of their slots, then those without sound."""
        found: list[tuple[Player, Part]] = []
        for _, hearing in sorted(self._hearings.items()):
            bands = spectrum.bands(hearing.newest(self._rings, spectrum.FRAMES, now)) if with_bands else None
            heard, keyed = hearing.part(now, bands), self._keyed.get(hearing.source.id)
            found.append((hearing.source, keyed.beside(heard, now) if keyed else heard))
        return found + [(keyed.player, keyed.part(now)) for keyed in self._unheard()]

    def sounds(self, now: LocalSeconds) -> bool:
        is_heard = any(hearing.sounds(now) for hearing in self._hearings.values())
        return is_heard or any(keyed.sounds(now) for keyed in self._keyed.values())

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
