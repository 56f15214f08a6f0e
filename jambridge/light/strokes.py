"""What one player has lately played: each note with its beginning and its end, for effects that remember. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from jambridge.light.colour import FAINTEST
from jambridge.notes.frame import Note
from jambridge.notes.stroke import Stroke
from jambridge.units import LocalSeconds, MidiNote

REMEMBERED_S = 12.0  # eight beats at 40 a minute, the slowest tempo
MOST = 256


def level(stroke: Stroke, now: LocalSeconds, attack_s: float, decay_s: float) -> float:
    """Its brightness, 0..1: rising over `attack_s`, and for `decay_s` behind its end falling."""
    bright = max(stroke.velocity, FAINTEST)
    risen = min(1.0, (now - stroke.began) / attack_s) if attack_s > 0 else 1.0
    if stroke.ended is None or now < stroke.ended:
        return bright * max(0.0, risen)
    left = 1.0 - (now - stroke.ended) / decay_s if decay_s > 0 else 0.0
    return bright * max(0.0, min(risen, left))


class Strokes:
    def __init__(self) -> None:
        self._sounding: dict[MidiNote, Stroke] = {}
        self._ended: tuple[Stroke, ...] = ()

    def follow(self, notes: Iterable[Note], now: LocalSeconds) -> None:
        """`notes` are those that sound now."""
        loudest = {note.midi: note.velocity for note in sorted(notes, key=lambda note: note.velocity)}
        over = tuple(replace(stroke, ended=now) for midi, stroke in self._sounding.items() if midi not in loudest)
        if over:
            kept = (stroke for stroke in self._ended if now - stroke.began < REMEMBERED_S)
            self._ended = (*kept, *over)[-MOST:]
        before = self._sounding
        self._sounding = {
            midi: Stroke(midi, velocity, before[midi].began if midi in before else now)
            for midi, velocity in loudest.items()
        }

    def played(self) -> tuple[Stroke, ...]:
        """In the order of their ends, those that still sound last."""
        return (*self._ended, *self._sounding.values())
