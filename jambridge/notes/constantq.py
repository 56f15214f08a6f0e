"""Constant-Q spectra whose windows all end now. Pure.

After J. C. Brown and M. S. Puckette, "An efficient algorithm for the calculation of a constant Q transform" (1992):
each bin is a few coefficients of one FFT, weighted. The windows are asymmetric, so that a bin of 300 ms follows a
new note after 90. Two FFTs serve all bins: one at 6 kHz for low or long windows, one at 24 kHz for the others.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.decimate import Decimator, lowpass
from jambridge.notes.frame import HOP_FRAMES
from jambridge.notes.level import Samples

Kernel = NDArray[np.complex128]

BINS_PER_SEMITONE = 3
LOWEST_MIDI, HIGHEST_MIDI = 26, 124
BINS = (HIGHEST_MIDI - LOWEST_MIDI) * BINS_PER_SEMITONE + 1
BIN_MIDI = LOWEST_MIDI + np.arange(BINS) / BINS_PER_SEMITONE
BIN_HZ = 440.0 * 2.0 ** ((BIN_MIDI - 69) / 12)
FAINTEST_DB = -120.0
_FAINTEST = np.float32(10 ** (FAINTEST_DB / 20))

_FFT_SIZE = 2048
_COEFFICIENTS = _FFT_SIZE // 2 + 1
_ROW = 4  # coefficients taken together: a quarter off the sparse product's time
_ROWS = -(-_COEFFICIENTS // _ROW)
_LOWER, _UPPER = 0, 1  # the two FFTs
_RATES_HZ = (6_000, 24_000)
_MOST_CYCLES = 100
_NEGLIGIBLE = 0.01  # of a kernel's largest coefficient; what is dropped lies 40 dB down


@dataclass(frozen=True, slots=True)
class Bank:
    """Windows of `cycles` periods within `shortest_s` … `longest_s`, highest at `peak` of their length.

    Bins below `split_hz` are taken from the lower FFT.
    """

    cycles: float
    shortest_s: float
    longest_s: float
    peak: float
    split_hz: float

    def lengths_s(self) -> NDArray[np.float64]:
        """Window length of every bin."""
        lengths = np.clip(self.cycles / BIN_HZ, self.shortest_s, self.longest_s)
        return np.minimum(lengths, _MOST_CYCLES / BIN_HZ)


SLOW = Bank(cycles=30, shortest_s=0.05, longest_s=0.30, peak=0.70, split_hz=1500)
FAST = Bank(cycles=12, shortest_s=0.02, longest_s=0.08, peak=0.65, split_hz=400)
BANKS = (SLOW, FAST)


def window(frames: int, peak: float) -> NDArray[np.float64]:
    """A sin² rise to `peak` of the length and a cos² fall; shape (frames,), sums to 1."""
    place = (np.arange(frames) + 0.5) / frames
    rise = np.sin(np.pi / 2 * place / peak) ** 2
    fall = np.cos(np.pi / 2 * (place - peak) / (1 - peak)) ** 2
    shape = np.where(place < peak, rise, fall)
    weights: NDArray[np.float64] = shape / shape.sum()
    return weights


def kernel(frequency_hz: float, length_s: float, peak: float, rate_hz: float) -> Kernel:
    """Weights of an FFT's coefficients, shape (_COEFFICIENTS,), that give one bin.

    A sine of amplitude 1 at `frequency_hz` gives a bin of magnitude 1. Negative frequencies are left out: the
    window is long enough for theirs not to reach the positive ones.
    """
    frames = min(_FFT_SIZE, round(length_s * rate_hz))
    times_s = np.arange(_FFT_SIZE - frames, _FFT_SIZE) / rate_hz
    atom = np.zeros(_FFT_SIZE, np.complex128)
    atom[-frames:] = 2 * window(frames, peak) * np.exp(2j * np.pi * frequency_hz * times_s)
    weights: Kernel = np.fft.fft(atom).conj()[:_COEFFICIENTS] / _FFT_SIZE
    return weights


class SparseKernels:
    """Kernels without their negligible coefficients: every bin's in one list, so that a frame is one product."""

    def __init__(self, kernels: Iterable[tuple[int, Kernel]]) -> None:
        """Each with the number of its FFT."""
        places, values = [], []
        for fft, weights in kernels:
            size = np.abs(weights)
            rows = np.zeros((_ROWS, _ROW), np.complex64)
            rows.ravel()[:_COEFFICIENTS] = np.where(size > _NEGLIGIBLE * size.max(), weights, 0)
            kept = np.flatnonzero(rows.any(axis=1))
            places.append(fft * _ROWS + kept)
            values.append(rows[kept].ravel())
        self._places, self._values = np.concatenate(places), np.concatenate(values)
        self._starts = np.cumsum([0, *(len(weights) for weights in values[:-1])])

    def magnitudes(self, coefficients: NDArray[np.complex64]) -> NDArray[np.float32]:
        """(streams, FFTs, _ROWS * _ROW) to (streams, kernels)."""
        streams = len(coefficients)
        weighted = np.take(coefficients.reshape(streams, -1, _ROW), self._places, axis=1).reshape(streams, -1)
        weighted *= self._values
        magnitudes: NDArray[np.float32] = np.abs(np.add.reduceat(weighted, self._starts, axis=1))
        return magnitudes


@functools.cache
def _kernels() -> SparseKernels:
    """All banks'. Built once a process, in about 60 ms: it depends on nothing."""
    return SparseKernels(
        (fft, kernel(frequency_hz, length_s, bank.peak, _RATES_HZ[fft]))
        for bank in BANKS
        for frequency_hz, length_s in zip(BIN_HZ, bank.lengths_s(), strict=True)
        for fft in [_LOWER if frequency_hz < bank.split_hz else _UPPER]
    )


class ConstantQ:
    """The banks over `streams` signals at 48 kHz."""

    def __init__(self, streams: int) -> None:
        self._streams = streams
        self._kernels = _kernels()
        self._to_upper = Decimator(streams, lowpass(23, 9_800, 48_000), 2, HOP_FRAMES)
        self._to_lower = Decimator(streams, lowpass(63, 2_550, 24_000), 4, HOP_FRAMES // 2)
        self._heard = np.zeros((streams, len(_RATES_HZ), _FFT_SIZE), np.float32)
        self._coefficients = np.zeros((streams, len(_RATES_HZ), _ROWS * _ROW), np.complex64)

    def analyse(self, hops: Samples) -> NDArray[np.float32]:
        """Decibels at the end of a hop; shape (streams, banks, BINS), 0 dB is a sine of amplitude 1.

        Args:
            hops: shape (streams, HOP_FRAMES), finite.
        """
        upper = self._to_upper.decimate(hops)
        _append(self._heard[:, _UPPER], upper)
        _append(self._heard[:, _LOWER], self._to_lower.decimate(upper))
        np.fft.rfft(self._heard, out=self._coefficients[:, :, :_COEFFICIENTS])  # type: ignore[arg-type]  # as in onset.py
        decibels = self._kernels.magnitudes(self._coefficients)
        np.maximum(decibels, _FAINTEST, out=decibels)
        np.log10(decibels, out=decibels)
        decibels *= 20
        return decibels.reshape(self._streams, len(BANKS), BINS)


def _append(heard: Samples, block: Samples) -> None:
    """Over the oldest; both (streams, frames)."""
    frames = block.shape[1]
    heard[:, :-frames] = heard[:, frames:]
    heard[:, -frames:] = block
