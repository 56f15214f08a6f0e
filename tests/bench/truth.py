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

    def slowed(self, factor: float) -> "TrueNote":
        """The same pitch, though whoever slows the sound lowers it."""
        return TrueNote(
            self.onset_s * factor,
            self.offset_s * factor,
            self.midi,
            self.velocity,
            self.attack_s * factor,
            self.audible_end_s * factor,
            self.release_end_s * factor,
        )


@dataclass(frozen=True)
class Piece:
    name: str
    category: str
    notes: tuple[TrueNote, ...]
    drums_s: tuple[float, ...]
    hops: NDArray[np.float32]
    """Shape (hops, HOP_FRAMES)."""

    @property
    def kind(self) -> str:
        """Its category, and for what is no music its name without the number: pink, hum, silence."""
        return self.name.rstrip("0123456789") if self.category == "noise" else self.category


def names(directory: Path) -> list[str]:
    """Of all pieces there.

    Raises:
        FileNotFoundError: there are none.
    """
    found = sorted(sound.stem for sound in directory.glob("*.flac") if sound.with_suffix(".json").exists())
    if not found:
        raise FileNotFoundError(f"no pieces (NAME.flac with NAME.json) in {directory}")
    return found


def read(directory: Path, name: str) -> Piece:
    truth = json.loads((directory / f"{name}.json").read_text())
    return Piece(
        name,
        truth["category"],
        tuple(TrueNote(*row) for row in truth["notes"]),
        tuple(truth["drum_onsets"]),
        np.stack(list(hops(open_sound(directory / f"{name}.flac")))),
    )


def pieces(directory: Path) -> Iterator[Piece]:
    return (read(directory, name) for name in names(directory))
