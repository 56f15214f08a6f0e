"""Lower sample rates for the constant-Q banks: 48 → 24 → 6 kHz. Pure."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from jambridge.notes.level import Samples

_TOGETHER = 20  # samples of the result


def lowpass(taps: int, cutoff_hz: float, rate_hz: float) -> NDArray[np.float32]:
    """A windowed-sinc low-pass filter: Hamming window, half amplitude at the cutoff, unit gain at 0 Hz.

    Raises:
        ValueError: the cutoff is not between 0 and half the rate, or `taps` is even.
    """
    if not 0 < cutoff_hz < rate_hz / 2 or taps % 2 == 0:
        raise ValueError(f"no filter of {taps} taps at {cutoff_hz:g} of {rate_hz:g} Hz")
    cycles = (np.arange(taps) - taps // 2) * (2 * cutoff_hz / rate_hz)
    response = np.sinc(cycles) * np.hamming(taps)
    filter_: NDArray[np.float32] = (response / response.sum()).astype(np.float32)
    return filter_


class Decimator:
    """Filters `streams` signals and keeps every `factor`th sample, the newest included.

    Blocks have `frames` frames, a multiple of the factor. Several samples of the result are computed from one window:
    a product of matrices, though mostly of zeros, takes a fifth of the time of as many scalar products.
    """

    def __init__(self, streams: int, filter_: NDArray[np.float32], factor: int, frames: int) -> None:
        together = math.gcd(frames // factor, _TOGETHER)
        past = len(filter_) - factor
        self._filters = np.zeros((past + together * factor, together), np.float32)
        for index, column in enumerate(self._filters.T):
            column[index * factor : index * factor + len(filter_)] = filter_
        self._heard = np.zeros((streams, past + frames), np.float32)
        self._past, self._block = self._heard[:, :past], self._heard[:, past:]
        self._newest = self._heard[:, frames:]
        self._windows = sliding_window_view(self._heard, len(self._filters), axis=1)[:, :: together * factor]

    def decimate(self, block: Samples) -> Samples:
        """(streams, frames) to (streams, frames / factor).

        The result lags by half the filter's length.
        """
        self._past[:] = self._newest
        self._block[:] = block
        thinned: Samples = self._windows.copy() @ self._filters  # BLAS takes no rows that overlap
        return thinned.reshape(len(block), -1)
