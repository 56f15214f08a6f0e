"""The inverse palette: which pitch classes a strip shows, and how well they match what was played. Pure.

Truth, as in tests/fixtures/music: a note is heard from onset + attack to its audible end. Between its onset and its
release end (and for RELEASE_S behind its written end) a strip may show it or not.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.scenarios.capture import Frame

PITCH_CLASSES = 12
FEWEST_PIXELS = 4  # of one note's stretch
GAMMA = 2.2
RATE_HZ = 60
RELEASE_S = 0.12
SLACK_S = 0.03
_DARKEST = 3  # of 255, the brightest channel: below, 8 bits behind a gamma of 2.2 hold no hue
_SATURATED = 0.5  # notes are fully saturated; a flash where nothing sounds is white

Shown = frozenset[int]
Roll = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Score:
    """`lag_s` is the constant lag it was found at."""

    f1: float
    precision: float
    recall: float
    lag_s: float


def pitch_classes(pixels: NDArray[np.uint8], gamma: float = GAMMA) -> Shown:
    """What a strip shows: every stretch of one hue, the nearest twelfth of the circle being the pitch class.

    Args:
        pixels: shape (pixels, 3), as sent to the strip.
        gamma: what the sender applied.
    """
    hues = _hues(pixels, gamma)
    runs = ((hue, sum(1 for _ in run)) for hue, run in itertools.groupby(hues.tolist()))
    fewest = min(FEWEST_PIXELS, len(pixels))
    return frozenset(int(hue) for hue, length in runs if hue >= 0 and length >= fewest)


def truth(path: Path, frames: int) -> tuple[Roll, Roll]:
    """What sounds, and what may be shown beside it, each of shape (frames, 12); frame k is at (k + 1) / 60 s."""
    at = (np.arange(frames) + 1) / RATE_HZ
    sounds, tolerated = np.zeros((2, frames, PITCH_CLASSES), bool)
    for onset, offset, midi, _, attack, audible_end, release_end in json.loads(path.read_text())["notes"]:
        column = int(midi) % PITCH_CLASSES
        sounds[(at >= onset + attack) & (at < audible_end), column] = True
        tolerated[(at >= onset) & (at <= max(offset + RELEASE_S, release_end + SLACK_S)), column] = True
    return sounds, tolerated & ~sounds


def roll(frames: Sequence[Frame], start: float, length: int) -> Roll:
    """Shape (length, 12): what the strip shows at `start` + (k + 1) / 60 s, each frame until the next."""
    return _sample([frame.at for frame in frames], [pitch_classes(frame.pixels) for frame in frames], start, length)


def score(shown: Roll, sounds: Roll, tolerated: Roll, lag_s: float = 0.0) -> Score:
    """Frame F1 over the twelve pitch classes; what is tolerated counts neither way."""
    hits = int((shown & sounds).sum())
    ghosts = int((shown & ~sounds & ~tolerated).sum())
    missed = int((~shown & sounds).sum())
    f1 = 2 * hits / max(1, 2 * hits + ghosts + missed)
    return Score(f1, hits / max(1, hits + ghosts), hits / max(1, hits + missed), lag_s)


def best(frames: Sequence[Frame], start: float, path: Path, length_s: float, lags_s: Sequence[float]) -> Score:
    """The best score over constant lags: the strip at `start` + lag + t against the music at t."""
    length = int(length_s * RATE_HZ)
    sounds, tolerated = truth(path, length)
    near = [frame for frame in frames if start - 1 <= frame.at <= start + length_s + max(lags_s)]
    times, shown = [frame.at for frame in near], [pitch_classes(frame.pixels) for frame in near]
    rolls = ((_sample(times, shown, start + lag_s, length), lag_s) for lag_s in lags_s)
    return max((score(one, sounds, tolerated, lag_s) for one, lag_s in rolls), key=lambda found: found.f1)


def _sample(times: Sequence[float], shown: Sequence[Shown], start: float, length: int) -> Roll:
    newest = np.searchsorted(times, start + (np.arange(length) + 1) / RATE_HZ, "right") - 1
    result = np.zeros((length, PITCH_CLASSES), bool)
    for row, index in zip(result, newest.tolist(), strict=True):
        row[list(shown[index] if index >= 0 else ())] = True
    return result


def _hues(pixels: NDArray[np.uint8], gamma: float) -> NDArray[np.int_]:
    """Shape (pixels,): 0..11, or -1 where no note is shown. HSV as A. R. Smith (1978)."""
    colours = (pixels.astype(float) / 255) ** (1 / gamma)
    red, green, blue = colours.T
    value = colours.max(axis=1)
    spread = value - colours.min(axis=1)
    safe = np.where(spread > 0, spread, 1.0)
    sector = np.select(
        [value == red, value == green], [(green - blue) / safe % 6, (blue - red) / safe + 2], (red - green) / safe + 4
    )
    is_note = (pixels.max(axis=1) >= _DARKEST) & (spread >= _SATURATED * np.maximum(value, 1e-9))
    return np.where(is_note, np.rint(2 * sector).astype(int) % PITCH_CLASSES, -1)
