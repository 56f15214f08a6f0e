"""A sound, block by block, through the detectors as the light process runs them: strictly causal. Pure."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from jambridge.notes import level
from jambridge.notes.detector import Detector
from jambridge.notes.frame import FRAME_RATE_HZ, HOP_FRAMES, Note, NoteFrame
from jambridge.notes.onset import ONSET_BLOCK, OnsetDetector
from jambridge.notes.tracker import Threshold
from jambridge.units import LocalSeconds

SOURCE = "file"


def listen(blocks: Iterable[NDArray[np.float32]], threshold: Threshold = "normal") -> Iterator[NoteFrame]:
    """One frame for every whole hop; `captured_at` is its end, in seconds from the sound's start.

    Args:
        blocks: shapes (frames, channels), of any length, -1..1 at 48 kHz; channels are averaged.
        threshold: how sure a note must be.
    """
    onsets, detector = OnsetDetector(), Detector(threshold=threshold)
    for index, hop in enumerate(hops(blocks)):
        attacks = onsets.process(hop.reshape(-1, ONSET_BLOCK))
        (detection,) = detector.process(hop[np.newaxis])
        end = LocalSeconds((index + 1) / FRAME_RATE_HZ)
        yield NoteFrame(index, end, SOURCE, detection.notes, bool(attacks.any()), detection.level_dbfs)


def hops(blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """The mean of all channels, shape (HOP_FRAMES,) each; what is left at the end is dropped."""
    rest = np.empty(0, np.float32)
    for block in blocks:
        rest = np.concatenate([rest, level.safe(block).mean(axis=1, dtype=np.float32)])
        whole = len(rest) // HOP_FRAMES * HOP_FRAMES
        yield from rest[:whole].reshape(-1, HOP_FRAMES)
        rest = rest[whole:]


def to_json(frame: NoteFrame) -> dict[str, object]:
    """A frame as `listen --json` prints it."""
    return {
        "time": round(frame.captured_at, 4),
        "onset": frame.onset,
        "level_dbfs": round(frame.level_dbfs, 1),
        "notes": [_note(note) for note in frame.notes],
    }


def _note(note: Note) -> dict[str, object]:
    return {
        "note": note.name,
        "midi": note.midi,
        "frequency": round(note.frequency_hz, 2),
        "cents": round(note.cents, 1),
        "velocity": round(note.velocity, 2),
    }
