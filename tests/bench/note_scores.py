"""How well and how soon notes are shown, of pieces with known truth. Pure.

A frame counts at its end. A note should be shown from its acoustic onset until it is let go or has died away; while it
is still rising or ringing out, showing it is no error. Delay is from the acoustic onset to the end of the first frame.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.frame import FRAME_RATE_HZ
from tests.bench.truth import TrueNote

Roll = NDArray[np.bool_]
"""Which of NOTES MIDI notes are shown in each frame; shape (frames, NOTES)."""
Counts = NDArray[np.intp]
"""Frames of each MIDI note; shape (NOTES,)."""

NOTES = 128
RELEASE_S = 0.12
RINGING_S = 0.03
FOUND_WITHIN_S = 0.3
STAYS_S = 0.05
HELD_OVER_FRAMES = 3  # a note shown so recently was not found anew
HARMONICALLY_RELATED = (12, 19, 24, 28, 31, 36)  # semitones
REGISTERS = {"all": range(NOTES), "below E3": range(52), "middle": range(52, 72), "from C5": range(72, NOTES)}
_INSTANT_S = 0.001


@dataclass(frozen=True)
class Score:
    """Of one piece; `delays_s` holds, for each note that was to be found, its MIDI number and delay or infinity."""

    hits_at: Counts
    false_at: Counts
    missed_at: Counts
    octaves: int
    ghosts: int
    frames: int
    delays_s: tuple[tuple[int, float], ...]

    @property
    def hits(self) -> int:
        return int(self.hits_at.sum())

    @property
    def false(self) -> int:
        return int(self.false_at.sum())

    @property
    def missed(self) -> int:
        return int(self.missed_at.sum())


@dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds of the notes found, and the share that was not; NaN where there were none."""

    notes: int
    median_ms: float
    p90_ms: float
    missed: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of several pieces together. `octaves` is the share of shown frames that are an overtone's or undertone's."""

    precision: float
    recall: float
    f1: float
    octaves: float
    ghosts_per_s: float
    delays: Delays


def score(truth: Sequence[TrueNote], shown: Roll) -> Score:
    ends_s = (np.arange(len(shown)) + 1) / FRAME_RATE_HZ
    sounding, excused = true_rolls(truth, ends_s)
    false = shown & ~sounding & ~excused
    began = shown.copy()
    began[1:] &= ~shown[:-1]
    return Score(
        hits_at=(shown & sounding).sum(axis=0),
        false_at=false.sum(axis=0),
        missed_at=(~shown & sounding).sum(axis=0),
        octaves=int((false & _related(sounding | excused)).sum()),
        ghosts=int((began & ~sounding & ~excused).sum()),
        frames=len(shown),
        delays_s=tuple(_delays(truth, shown, ends_s)),
    )


def true_rolls(truth: Iterable[TrueNote], ends_s: NDArray[np.float64]) -> tuple[Roll, Roll]:
    """What sounds in the frames that end at `ends_s`, and what may be shown without being wrong."""
    sounding, excused = np.zeros((2, len(ends_s), NOTES), bool)
    for note in truth:
        gone_s = max(note.offset_s + RELEASE_S, note.release_end_s + RINGING_S)
        sounding[(ends_s >= note.begins_s) & (ends_s < note.audible_end_s), note.midi] = True
        excused[(ends_s >= note.onset_s) & (ends_s <= gone_s), note.midi] = True
    return sounding, excused & ~sounding


def figures(scores: Sequence[Score], register: range = REGISTERS["all"]) -> Figures:
    """Ghosts and octave errors are of all notes, whatever the register."""
    span = slice(register.start, register.stop)
    hits, false, missed = (
        sum(int(counts[span].sum()) for counts in column)
        for column in (
            [one.hits_at for one in scores],
            [one.false_at for one in scores],
            [one.missed_at for one in scores],
        )
    )
    shown = sum(one.hits + one.false for one in scores)
    precision, recall = hits / max(1, hits + false), hits / max(1, hits + missed)
    return Figures(
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / max(1e-9, precision + recall),
        octaves=sum(one.octaves for one in scores) / max(1, shown),
        ghosts_per_s=sum(one.ghosts for one in scores) * FRAME_RATE_HZ / max(1, sum(one.frames for one in scores)),
        delays=delays([delay_s for one in scores for midi, delay_s in one.delays_s if midi in register]),
    )


def delays(delays_s: Iterable[float]) -> Delays:
    """Infinite ones were missed."""
    all_ms = np.array([*delays_s], float) * 1000
    found_ms = all_ms[np.isfinite(all_ms)]
    median_ms, p90_ms = np.percentile(found_ms, [50, 90]) if len(found_ms) else (np.nan, np.nan)
    return Delays(len(all_ms), float(median_ms), float(p90_ms), 1 - len(found_ms) / max(1, len(all_ms)))


def _related(roll: Roll) -> Roll:
    related = np.zeros_like(roll)
    for semitones in HARMONICALLY_RELATED:
        related[:, semitones:] |= roll[:, :-semitones]
        related[:, :-semitones] |= roll[:, semitones:]
    return related


def _delays(truth: Iterable[TrueNote], shown: Roll, ends_s: NDArray[np.float64]) -> Iterator[tuple[int, float]]:
    for note in truth:
        first = int(np.searchsorted(ends_s, note.begins_s - _INSTANT_S))
        if first >= len(shown) or shown[max(0, first - HELD_OVER_FRAMES) : first, note.midi].any():
            continue
        last_s = min(note.begins_s + FOUND_WITHIN_S, note.offset_s + STAYS_S)
        frames = np.flatnonzero(shown[first : np.searchsorted(ends_s, last_s, "right"), note.midi])
        yield note.midi, float(ends_s[first + frames[0]]) - note.begins_s if len(frames) else np.inf
