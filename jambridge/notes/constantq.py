"""Constant-Q spectra whose windows all end now. Pure.

After J. C. Brown and M. S. Puckette, "An efficient algorithm for the calculation of a constant Q transform" (1992):
each bin is a few coefficients of one FFT, weighted. The windows are asymmetric, so that a bin of 300 ms follows a
new note after 90. Two FFTs serve all bins: one at 6 kHz for low or long windows, one at 24 kHz for the others.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.decimate import Decimator, lowpass
from jambridge.notes.level import Samples

Kernel = NDArray[np.complex128]

BINS_PER_SEMITONE = 3
LOWEST_MIDI, HIGHEST_MIDI = 26, 124
BINS = (HIGHEST_MIDI - LOWEST_MIDI) * BINS_PER_SEMITONE + 1
BIN_MIDI = LOWEST_MIDI + np.arange(BINS) / BINS_PER_SEMITONE
BIN_HZ = 440.0 * 2.0 ** ((BIN_MIDI - 69) / 12)
FAINTEST_DB = -120.0

_FFT_SIZE = 2048
_UPPER_HZ, _LOWER_HZ = 24_000, 6_000  # sample rates of the two FFTs
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
    """Weights of an FFT's coefficients, shape (_FFT_SIZE / 2 + 1,), that give one bin.

    A sine of amplitude 1 at `frequency_hz` gives a bin of magnitude 1. Negative frequencies are left out: the
    window is long enough for theirs not to reach the positive ones.
    """
    frames = min(_FFT_SIZE, round(length_s * rate_hz))
    times_s = np.arange(_FFT_SIZE - frames, _FFT_SIZE) / rate_hz
    atom = np.zeros(_FFT_SIZE, np.complex128)
    atom[-frames:] = 2 * window(frames, peak) * np.exp(2j * np.pi * frequency_hz * times_s)
    weights: Kernel = np.fft.fft(atom).conj()[: _FFT_SIZE // 2 + 1] / _FFT_SIZE
    return weights


class SparseKernels:
    """Kernels without their negligible coefficients: every row's in one list, so that a frame is one product."""

    def __init__(self, kernels: list[Kernel]) -> None:
        sizes = [np.abs(row) for row in kernels]
        columns = [np.flatnonzero(size > _NEGLIGIBLE * size.max()) for size in sizes]
        self._columns = np.concatenate(columns)
        self._values = np.concatenate([row[kept] for row, kept in zip(kernels, columns, strict=True)]).astype(
            np.complex64
        )
        self._starts = np.cumsum([0, *(len(kept) for kept in columns[:-1])])

    def magnitudes(self, newest: Samples) -> NDArray[np.float32]:
        """(streams, _FFT_SIZE) samples to (streams, kernels)."""
        coefficients = np.take(np.fft.rfft(newest, axis=1), self._columns, axis=1)
        coefficients *= self._values
        magnitudes: NDArray[np.float32] = np.abs(np.add.reduceat(coefficients, self._starts, axis=1))
        return magnitudes


@dataclass(frozen=True, slots=True)
class _Kernels:
    """Both FFTs' kernels; `order` puts their bins, lower before upper, into banks and rising frequency."""

    lower: SparseKernels
    upper: SparseKernels
    order: NDArray[np.intp]


@functools.cache
def _kernels() -> _Kernels:
    """Built once a process, in about 60 ms: it depends on nothing."""
    lower: list[Kernel] = []
    upper: list[Kernel] = []
    is_lower = np.concatenate([bank.split_hz > BIN_HZ for bank in BANKS])
    for bank in BANKS:
        for frequency_hz, length_s in zip(BIN_HZ, bank.lengths_s(), strict=True):
            rows, rate_hz = (lower, _LOWER_HZ) if frequency_hz < bank.split_hz else (upper, _UPPER_HZ)
            rows.append(kernel(frequency_hz, length_s, bank.peak, rate_hz))
    computed = np.concatenate([np.flatnonzero(is_lower), np.flatnonzero(~is_lower)])
    return _Kernels(SparseKernels(lower), SparseKernels(upper), np.argsort(computed))


class ConstantQ:
    """The banks over `streams` signals at 48 kHz."""

    def __init__(self, streams: int) -> None:
        self._streams = streams
        self._kernels = _kernels()
        self._to_upper = Decimator(streams, lowpass(23, 9_800, 48_000), 2)
        self._to_lower = Decimator(streams, lowpass(63, 2_550, 24_000), 4)
        self._upper = np.zeros((streams, _FFT_SIZE), np.float32)
        self._lower = np.zeros((streams, _FFT_SIZE), np.float32)

    def analyse(self, hops: Samples) -> NDArray[np.float32]:
        """Decibels at the end of a hop; shape (streams, banks, BINS), 0 dB is a sine of amplitude 1.

        Args:
            hops: shape (streams, frames), frames a multiple of 8, finite.
        """
        upper = self._to_upper.decimate(hops)
        self._upper = _appended(self._upper, upper)
        self._lower = _appended(self._lower, self._to_lower.decimate(upper))
        both = (self._kernels.lower.magnitudes(self._lower), self._kernels.upper.magnitudes(self._upper))
        magnitudes = np.take(np.concatenate(both, axis=1), self._kernels.order, axis=1)
        decibels = 20 * np.log10(np.maximum(magnitudes, np.float32(10 ** (FAINTEST_DB / 20))))
        return decibels.reshape(self._streams, len(BANKS), BINS)


def _appended(past: Samples, block: Samples) -> Samples:
    return np.concatenate([past[:, block.shape[1] :], block], axis=1)
