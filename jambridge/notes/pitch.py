"""Frequency and strength of a note that is known to sound, from the constant-Q banks. Pure."""

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.constantq import BINS, BINS_PER_SEMITONE, LOWEST_MIDI
from jambridge.units import MidiNote, hz

_FULL_DB = 60.0  # velocity 0 … 1 spans -60 … 0 dBFS
_FAINTEST = 1 / _FULL_DB


def frequency_hz(slow_db: NDArray[np.float32], note: MidiNote) -> float | None:
    """The frequency at the peak within half a semitone of `note`; None where there is none.

    Of a steady tone within 1 cent up to 1.3 kHz and within 5 above, where the bins lie far apart.

    Args:
        slow_db: shape (BINS,), the slow bank: near a steady tone very nearly a parabola.
        note: within the banks.
    """
    centre = _bin(note)
    levels: list[float] = slow_db[centre - 2 : centre + 3].tolist()
    top = max(levels[1:4])
    peak = levels.index(top, 1)
    left, right = levels[peak - 1], levels[peak + 1]
    curvature = left - 2 * top + right
    if curvature >= 0 or top < max(left, right):
        return None
    bins = centre - 2 + peak + (left - right) / (2 * curvature)
    return hz(LOWEST_MIDI + bins / BINS_PER_SEMITONE)


def velocity(banks_db: NDArray[np.float32], note: MidiNote) -> float:
    """Strength 0..1 of `note` in spectra of shape (banks, BINS): a fundamental of 0 dBFS is 1, of -60 nearly 0."""
    level_db: float = max(banks_db[:, _bin(note)].tolist())
    return min(1.0, max(_FAINTEST, 1 + level_db / _FULL_DB))


def _bin(note: MidiNote) -> int:
    return min(BINS - 2, (note - LOWEST_MIDI) * BINS_PER_SEMITONE)
