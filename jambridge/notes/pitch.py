"""Frequency and strength of a note that is known to sound, from the constant-Q banks. Pure."""

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.constantq import BIN_MIDI, BINS, BINS_PER_SEMITONE, LOWEST_MIDI
from jambridge.units import MidiNote, hz

_FULL_DB = 60.0  # velocity 0 … 1 spans -60 … 0 dBFS
_FAINTEST = 1 / _FULL_DB


def frequency_hz(slow_db: NDArray[np.float32], note: MidiNote) -> float:
    """The frequency at the peak within half a semitone of `note`, the note's own where there is none.

    Args:
        slow_db: shape (BINS,), the slow bank: near a steady tone very nearly a parabola.
        note: within the banks.
    """
    first = _bin(note) - 1
    peak = first + int(np.argmax(slow_db[first : first + 3]))
    left, top, right = (float(level) for level in slow_db[peak - 1 : peak + 2])
    curvature = left - 2 * top + right
    if curvature >= 0 or top < max(left, right):
        return hz(note)
    offset = (left - right) / (2 * curvature)
    return hz(float(BIN_MIDI[peak] + offset / BINS_PER_SEMITONE))


def velocity(banks_db: NDArray[np.float32], note: MidiNote) -> float:
    """Strength 0..1 of `note` in spectra of shape (banks, BINS): a fundamental of 0 dBFS is 1, of -60 nearly 0."""
    level_db = float(banks_db[:, _bin(note)].max())
    return min(1.0, max(_FAINTEST, 1 + level_db / _FULL_DB))


def _bin(note: MidiNote) -> int:
    return min(BINS - 2, (note - LOWEST_MIDI) * BINS_PER_SEMITONE)
