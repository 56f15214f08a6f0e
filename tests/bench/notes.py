"""How well and how soon the detector finds the notes of pieces with known truth: a table.

    python -m tests.bench.notes DIRECTORY [sensitive|normal|strict]

A frame counts at its end. A note should be shown from its acoustic onset until it is let go or has died away; while it
is still rising or ringing out, showing it is no error. Delay is from the acoustic onset to the end of the first frame.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.detector import Detector
from jambridge.notes.frame import FRAME_RATE_HZ
from jambridge.notes.tracker import Threshold
from tests.bench.truth import PITCHED, Piece, TrueNote, pieces

Roll = NDArray[np.bool_]
"""Which of 128 MIDI notes sound in each frame; shape (frames, 128)."""

RELEASE_S = 0.12
RINGING_S = 0.03
FOUND_WITHIN_S = 0.3
HELD_OVER_FRAMES = 3  # a note shown so recently was not found anew
HARMONICALLY_RELATED = (12, 19, 24, 28, 31, 36)  # semitones
REGISTERS = {"all": (0, 128), "below E3": (0, 52), "middle": (52, 72), "from C5": (72, 128)}


@dataclass(frozen=True)
class Score:
    """Counts of one piece; `delays_s` holds, for each note found or missed, its MIDI number and delay or infinity."""

    hits: int
    false: int
    missed: int
    octaves: int
    ghosts: int
    frames: int
    delays_s: tuple[tuple[int, float], ...]


def score(truth: tuple[TrueNote, ...], shown: Roll) -> Score:
    ends_s = (np.arange(len(shown)) + 1) / FRAME_RATE_HZ
    sounding, excused = true_rolls(truth, ends_s)
    false = shown & ~sounding & ~excused
    began = shown.copy()
    began[1:] &= ~shown[:-1]
    return Score(
        hits=int((shown & sounding).sum()),
        false=int(false.sum()),
        missed=int((~shown & sounding).sum()),
        octaves=int((false & _related(sounding | excused)).sum()),
        ghosts=int((began & ~sounding & ~excused).sum()),
        frames=len(shown),
        delays_s=tuple(_delays(truth, shown, ends_s)),
    )


def true_rolls(truth: tuple[TrueNote, ...], ends_s: NDArray[np.float64]) -> tuple[Roll, Roll]:
    """What sounds, and what may be shown without being wrong."""
    sounding, excused = np.zeros((2, len(ends_s), 128), bool)
    for note in truth:
        gone_s = max(note.offset_s + RELEASE_S, note.release_end_s + RINGING_S)
        sounding[(ends_s >= note.begins_s) & (ends_s < note.audible_end_s), note.midi] = True
        excused[(ends_s >= note.onset_s) & (ends_s <= gone_s), note.midi] = True
    return sounding, excused & ~sounding


def _related(roll: Roll) -> Roll:
    related = np.zeros_like(roll)
    for semitones in HARMONICALLY_RELATED:
        related[:, semitones:] |= roll[:, :-semitones]
        related[:, :-semitones] |= roll[:, semitones:]
    return related


def _delays(truth: tuple[TrueNote, ...], shown: Roll, ends_s: NDArray[np.float64]) -> Iterable[tuple[int, float]]:
    for note in truth:
        first = int(np.searchsorted(ends_s, note.begins_s - 0.001))
        if first >= len(shown) or shown[max(0, first - HELD_OVER_FRAMES) : first, note.midi].any():
            continue
        last_s = min(note.begins_s + FOUND_WITHIN_S, note.offset_s + 0.05)
        frames = np.flatnonzero(shown[first : np.searchsorted(ends_s, last_s, "right"), note.midi])
        yield note.midi, float(ends_s[first + frames[0]]) - note.begins_s if len(frames) else np.inf


def show(piece: Piece, threshold: Threshold) -> tuple[Roll, list[float]]:
    """What the detector shows of a piece, and the CPU time of each hop."""
    detector = Detector(threshold=threshold)
    roll = np.zeros((len(piece.hops), 128), bool)
    cpu_s = []
    for index, hop in enumerate(piece.hops):
        before = time.thread_time()
        (detection,) = detector.process(hop[np.newaxis])
        cpu_s.append(time.thread_time() - before)
        roll[index, [note.midi for note in detection.notes]] = True
    return roll, cpu_s


def row(title: str, scores: list[Score]) -> str:
    hits, false, missed, octaves, ghosts, frames = (
        sum(getattr(one, field) for one in scores)
        for field in ("hits", "false", "missed", "octaves", "ghosts", "frames")
    )
    precision, recall = hits / max(1, hits + false), hits / max(1, hits + missed)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    per_s = ghosts * FRAME_RATE_HZ / max(1, frames)
    cells = f"{precision:6.3f}{recall:6.3f}{f1:6.3f}{octaves / max(1, hits + false):6.3f}{per_s:6.2f}"
    return f"{title:15}{cells}  " + " ".join(_delay_cell(scores, *span) for span in REGISTERS.values())


def _delay_cell(scores: list[Score], lowest: int, above: int) -> str:
    delays_s = np.array(
        [delay for one in scores for midi, delay in one.delays_s if lowest <= midi < above and delay >= 0]
    )
    found_ms = delays_s[np.isfinite(delays_s)] * 1000
    if not len(found_ms):
        return f"{'-':^13}"
    median, late = np.percentile(found_ms, [50, 90])
    return f"{median:3.0f}/{late:3.0f}/{1 - len(found_ms) / len(delays_s):3.0%}".center(13)


def table(scores: list[tuple[Piece, Score]]) -> Iterable[str]:
    yield f"{'':15}{'P':>6}{'R':>6}{'F1':>6}{'oct':>6}{'gh/s':>6}  " + " ".join(f"{name:^13}" for name in REGISTERS)
    yield f"{'':47}" + "delay p50/p90 in ms, and missed"
    for piece, one in scores:
        yield row(piece.name, [one])
    for category in dict.fromkeys(piece.category for piece, _ in scores):
        yield row(category.upper(), [one for piece, one in scores if piece.category == category])
    yield row("PITCHED", [one for piece, one in scores if piece.category in PITCHED])


def main(directory: str, threshold: Threshold = "normal") -> None:
    scores, cpu_s = [], []
    for piece in pieces(Path(directory)):
        shown, times_s = show(piece, threshold)
        scores.append((piece, score(piece.notes, shown)))
        cpu_s += times_s
    print("\n".join(table(scores)))
    median, late = np.percentile(cpu_s, [50, 95]) * 1000
    print(f"CPU a hop: median {median:.2f} ms, p95 {late:.2f} ms")


if __name__ == "__main__":
    main(sys.argv[1], *(word for word in get_args(Threshold) if word in sys.argv[2:3]))
