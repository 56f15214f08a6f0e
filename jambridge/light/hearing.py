"""What one source is heard to play: its ring read in the detectors' steps."""

import math
from collections.abc import Collection
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.ring import Mono, Rings, Wake
from jambridge.audio.source import Source
from jambridge.light import scene
from jambridge.light.control import SourceReport
from jambridge.light.effects import Part
from jambridge.light.strokes import Strokes
from jambridge.notes.detector import Detection
from jambridge.notes.frame import HOP_FRAMES, Note
from jambridge.units import Frames, LocalSeconds, MidiNote

SILENT_AFTER_S = 0.1  # without sound arriving, nothing is held to sound
FLOOR_DBFS = -60.0  # below, nothing sounds
_FLASH_AGAIN_S = 0.05  # the same attack may be noticed twice
_NEVER = LocalSeconds(-math.inf)
LOWEST_DBFS = -120.0  # JSON knows no infinity
OLDEST_S = 1e6


class OnsetDetector(Protocol):
    def process(self, blocks: NDArray[np.float32], /) -> NDArray[np.bool_]: ...


class NoteDetector(Protocol):
    def process(self, hops: NDArray[np.float32], /) -> list[Detection]: ...


class Hearing:
    """Listens to one source. `receive` is quick and says of an attack; `detect` finds the notes."""

    def __init__(self, source: Source, onsets: OnsetDetector, onset_block: int, notes: NoteDetector) -> None:
        self.source = source
        self._onsets = onsets
        self._onset_block = onset_block
        self._detector = notes
        self._position: Frames | None = None
        self._for_onsets = self._for_notes = np.empty(0, np.float32)
        self._detection = Detection((), onset=False, level_dbfs=-math.inf)
        self._arrived_at = self._flashed_at = _NEVER
        self._strokes = Strokes()
        self._left: set[MidiNote] = set()

    def receive(self, rings: Rings, wake: Wake, now: LocalSeconds) -> bool:
        """Take what has been written since the last time; whether an attack is in it.

        A reader that lags by more than half a ring, which is being written over meanwhile, starts anew at the newest.
        """
        if self._position is None or not 0 <= wake.written - self._position <= rings.capacity // 2:
            self._position = Frames(max(0, wake.written - HOP_FRAMES))
        fresh = rings.read(self.source.slot, self._position, wake.written - self._position)
        self._position = wake.written
        self._arrived_at = wake.arrived_at
        self._for_notes = np.concatenate([self._for_notes, fresh])
        blocks, self._for_onsets = _steps(np.concatenate([self._for_onsets, fresh]), self._onset_block)
        if self._onsets.process(blocks).any() and now - self._flashed_at >= _FLASH_AGAIN_S:
            self._flashed_at = now
            return True
        return False

    def has_hop(self) -> bool:
        """Whether a whole hop has been received that is not yet searched for notes."""
        return len(self._for_notes) >= HOP_FRAMES

    def detect(self, played: Collection[int] = ()) -> bool:
        """Find the notes of the oldest hop received; whether others sound now. `played`: see `leave`."""
        before = _pitches(self._detection.notes)
        hop, self._for_notes = self._for_notes[np.newaxis, :HOP_FRAMES], self._for_notes[HOP_FRAMES:]
        (self._detection,) = self._detector.process(hop)
        self._left &= _pitches(self._detection.notes)
        self.leave(played, self._arrived_at)
        return before != _pitches(self._detection.notes)

    def leave(self, played: Collection[int], now: LocalSeconds) -> None:
        """Leave to MIDI what is found of the pitch classes `played` there, for as long as it is found.

        It is the same note, or its octave, and goes on to be found when the key is up and the string still sounds.
        """
        notes = self._detection.notes
        self._left |= {note.midi for note in notes if note.midi % 12 in played}
        self._detection = replace(self._detection, notes=tuple(one for one in notes if one.midi not in self._left))
        self._strokes.follow(self.notes(now), now)

    def notes(self, now: LocalSeconds) -> tuple[Note, ...]:
        return self._detection.notes if now - self._arrived_at < SILENT_AFTER_S else ()

    def part(self, now: LocalSeconds, bands: NDArray[np.float32] | None) -> Part:
        """For the effects: what was played lately, and how loud it is."""
        if now - self._arrived_at >= SILENT_AFTER_S:
            self._strokes.follow((), now)
        alive = now - self._arrived_at < SILENT_AFTER_S
        level_dbfs = self._detection.level_dbfs if alive else LOWEST_DBFS
        return Part(self._strokes.played(), self.flash(now), level_dbfs, bands)

    def newest(self, rings: Rings, frames: int, now: LocalSeconds) -> Mono:
        """The last of what was received, or silence."""
        known = min(frames, self._position or 0)
        if now - self._arrived_at >= SILENT_AFTER_S or self._position is None or known < frames:
            return np.zeros(frames, np.float32)
        return rings.read(self.source.slot, Frames(self._position - frames), frames)

    def flash(self, now: LocalSeconds) -> float:
        return scene.flash(now - self._flashed_at)

    def sounds(self, now: LocalSeconds) -> bool:
        alive = now - self._arrived_at < SILENT_AFTER_S
        return self.flash(now) > 0 or (alive and self._detection.level_dbfs >= FLOOR_DBFS)

    def report(self, now: LocalSeconds) -> SourceReport:
        notes = self.notes(now)
        return SourceReport(
            id=self.source.id,
            name=self.source.name,
            notes=tuple(note.midi for note in notes),
            onset=self.flash(now) > 0,
            level_dbfs=round(max(self._detection.level_dbfs, LOWEST_DBFS), 1),
            age_s=round(min(now - self._arrived_at, OLDEST_S), 3),
        )


def _steps(samples: Mono, size: int) -> tuple[NDArray[np.float32], Mono]:
    """Whole steps as (steps, size), and the rest."""
    whole = len(samples) // size * size
    return samples[:whole].reshape(-1, size), samples[whole:]


def _pitches(notes: tuple[Note, ...]) -> set[MidiNote]:
    return {note.midi for note in notes}
