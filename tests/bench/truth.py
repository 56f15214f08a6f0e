"""Pieces of music with the truth about them: NAME.flac beside NAME.json in one directory.

The JSON holds `category`, `notes` as rows of seconds and MIDI numbers (see `TrueNote`) and `drum_onsets`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.file import open_sound
from jambridge.listen import hops

PITCHED = ("mono", "chord", "poly", "bass", "band")


class TrueNote(NamedTuple):
    """`attack_s` after `onset_s` it reaches -20 dB of its envelope: what a listener would call its beginning."""

    onset_s: float
    offset_s: float
    midi: int
    velocity: int
    attack_s: float
    audible_end_s: float
    release_end_s: float

    @property
    def begins_s(self) -> float:
        return self.onset_s + self.attack_s


@dataclass(frozen=True)
class Piece:
    name: str
    category: str
    notes: tuple[TrueNote, ...]
    drums_s: tuple[float, ...]
    hops: NDArray[np.float32]
    """Shape (hops, HOP_FRAMES)."""


def pieces(directory: Path) -> Iterator[Piece]:
    for sound in sorted(directory.glob("*.flac")):
        truth = json.loads(sound.with_suffix(".json").read_text())
        yield Piece(
            sound.stem,
            truth["category"],
            tuple(TrueNote(*row) for row in truth["notes"]),
            tuple(truth["drum_onsets"]),
            np.stack(list(hops(open_sound(sound)))),
        )
