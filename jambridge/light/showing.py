"""What of one source is seen: its notes and attacks, each from when it is due. Pure: time is a parameter."""

import math
from collections import deque
from collections.abc import Collection
from dataclasses import replace

from jambridge.light import scene
from jambridge.light.strokes import Strokes
from jambridge.notes.detector import Detection
from jambridge.notes.frame import Note
from jambridge.notes.stroke import Stroke
from jambridge.units import LocalSeconds, MidiNote

SILENT_AFTER_S = 0.1  # without sound arriving, nothing is held to sound
FLOOR_DBFS = -60.0  # below, nothing sounds
LOWEST_DBFS = -120.0  # JSON knows no infinity
_MOST = 64  # detections that wait: a second
_NEVER = LocalSeconds(-math.inf)
_SILENCE = Detection((), onset=False, level_dbfs=-math.inf)


class Showing:
    """`advance` brings it to a moment; what it says then is of that moment."""

    def __init__(self) -> None:
        self._attacks: deque[LocalSeconds] = deque(maxlen=_MOST)
        self._detections: deque[tuple[LocalSeconds, Detection]] = deque(maxlen=_MOST)
        self._detection = _SILENCE
        self._flashed_at = self._until = _NEVER
        self._strokes = Strokes()
        self._left: set[MidiNote] = set()

    def attack(self, due: LocalSeconds) -> None:
        self._attacks.append(due)

    def detect(self, detection: Detection, due: LocalSeconds) -> None:
        self._detections.append((due, detection))

    def keep(self, until: LocalSeconds) -> None:
        """Sound has come that is due at `until`."""
        self._until = until

    @property
    def due(self) -> LocalSeconds:
        """When the next of what waits is to be seen."""
        first = [self._detections[0][0]] if self._detections else []
        return min([*first, *list(self._attacks)[:1]], default=LocalSeconds(math.inf))

    def advance(self, now: LocalSeconds, played: Collection[int] = ()) -> bool:
        """Show what is due; whether there is an attack or another note in it.

        What is found of the pitch classes `played` over MIDI is left to MIDI, for as long as it is found: it is the
        same note, or its octave, and goes on to be found when the key is up and the string still sounds.
        """
        changed = False
        while self._attacks and self._attacks[0] <= now:
            self._flashed_at = self._attacks.popleft()
            changed = True
        while self._detections and self._detections[0][0] <= now:
            due, detection = self._detections.popleft()
            self._left &= _pitches(detection.notes)
            changed |= self._show(detection, played, due)
        if played and _of(played, self._detection.notes):
            changed |= self._show(self._detection, played, now)
        return changed

    def notes(self, now: LocalSeconds) -> tuple[Note, ...]:
        return self._detection.notes if self.is_alive(now) else ()

    def strokes(self, now: LocalSeconds) -> tuple[Stroke, ...]:
        if not self.is_alive(now):
            self._strokes.follow((), now)
        return self._strokes.played()

    def level_dbfs(self, now: LocalSeconds) -> float:
        return max(self._detection.level_dbfs, LOWEST_DBFS) if self.is_alive(now) else LOWEST_DBFS

    def flash(self, now: LocalSeconds) -> float:
        """How much of the last attack's is left, 0..1."""
        return scene.flash(now - self._flashed_at)

    def sounds(self, now: LocalSeconds) -> bool:
        return self.flash(now) > 0 or self.level_dbfs(now) >= FLOOR_DBFS

    def is_alive(self, now: LocalSeconds) -> bool:
        return now - self._until < SILENT_AFTER_S

    def _show(self, detection: Detection, played: Collection[int], at: LocalSeconds) -> bool:
        before = _pitches(self._detection.notes)
        self._left |= _of(played, detection.notes)
        notes = tuple(note for note in detection.notes if note.midi not in self._left)
        self._detection = replace(detection, notes=notes)
        self._strokes.follow(self.notes(at), at)
        return _pitches(notes) != before


def _pitches(notes: tuple[Note, ...]) -> set[MidiNote]:
    return {note.midi for note in notes}


def _of(pitch_classes: Collection[int], notes: tuple[Note, ...]) -> set[MidiNote]:
    return {note.midi for note in notes if note.midi % 12 in pitch_classes}
