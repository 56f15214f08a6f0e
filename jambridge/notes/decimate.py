"""Lower sample rates for the constant-Q banks: 48 → 24 → 6 kHz. Pure."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from jambridge.notes.level import Samples


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
    """Filters `streams` signals and keeps every `factor`th sample, the newest included."""

    def __init__(self, streams: int, filter_: NDArray[np.float32], factor: int) -> None:
        self._filter = filter_
        self._factor = factor
        self._past = np.zeros((streams, len(filter_) - 1), np.float32)

    def decimate(self, block: Samples) -> Samples:
        """(streams, frames) to (streams, frames / factor); frames is a multiple of the factor.

        The result lags by half the filter's length.
        """
        heard = np.concatenate([self._past, block], axis=1)
        self._past = heard[:, block.shape[1] :]
        windows = sliding_window_view(heard, len(self._filter), axis=1)[:, self._factor - 1 :: self._factor]
        thinned: Samples = windows @ self._filter
        return thinned
