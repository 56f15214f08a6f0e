"""How loud each part of the spectrum is, for the eye. Pure."""

import numpy as np
from numpy.typing import NDArray

from jambridge.light.effects import BANDS
from jambridge.notes import level
from jambridge.units import SAMPLE_RATE_HZ

FRAMES = 2048  # 43 ms
_LOWEST_HZ, _HIGHEST_HZ = 50.0, 12_000.0
_QUIETEST_DB, _LOUDEST_DB = -70.0, -15.0
_WINDOW = (np.hanning(FRAMES) * 4 / FRAMES).astype(np.float32)  # a sine has its amplitude in the middle of its bin
_EDGES = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, BANDS + 1) * FRAMES / SAMPLE_RATE_HZ
_FIRST = np.floor(_EDGES[:-1]).astype(np.intp)
_WIDTH = np.maximum(np.ceil(_EDGES[1:]).astype(np.intp) - _FIRST, 1)
_MEMBERS = _FIRST[:, np.newaxis] + np.minimum(np.arange(_WIDTH.max()), _WIDTH[:, np.newaxis] - 1)


def bands(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape (BANDS,), 0..1, low to high: the loudest of each band of `samples`, shape (FRAMES,), -1..1 at 48 kHz."""
    amplitudes = np.abs(np.fft.rfft(level.safe(samples) * _WINDOW))
    decibels = 20 * np.log10(amplitudes[_MEMBERS].max(axis=1) + 1e-9)
    shown: NDArray[np.float32] = np.clip((decibels - _QUIETEST_DB) / (_LOUDEST_DB - _QUIETEST_DB), 0, 1)
    return shown.astype(np.float32)
