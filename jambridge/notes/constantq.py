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

SLOW, FAST, ULTRA, INNOVATION = range(4)
SPECTRA = 4

_FFT_SIZE = 2048
_COEFFICIENTS = _FFT_SIZE // 2 + 1
_ROW = 4  # coefficients taken together: a quarter off the sparse product's time
_ROWS = -(-_COEFFICIENTS // _ROW)
_LOWER, _UPPER = 0, 1  # the two FFTs
_RATES_HZ = (6_000, 24_000)


@dataclass(frozen=True, slots=True)
class Bank:
    """Windows of `cycles` periods within `shortest_s` … `longest_s` and below `most_cycles`, highest at `peak` of it.

    Bins below `split_hz` are taken from the lower FFT. Every `step`th bin is computed. Coefficients below `negligible`
    of a kernel's largest are dropped.
    """

    cycles: float
    shortest_s: float
    longest_s: float
    peak: float
    split_hz: float
    most_cycles: float = 100
    step: int = 1
    negligible: float = 0.01

    def kernels(self) -> "list[tuple[int, Kernel]]":
        """Of every computed bin, with the number of its FFT."""
        bins_hz = BIN_HZ[:: self.step]
        lengths_s = np.clip(self.cycles / bins_hz, self.shortest_s, self.longest_s)
        lengths_s = np.minimum(lengths_s, self.most_cycles / bins_hz)
        ffts = np.where(bins_hz < self.split_hz, _LOWER, _UPPER).tolist()
        return [
            (fft, _thinned(kernel(frequency_hz, length_s, self.peak, _RATES_HZ[fft]), self.negligible))
            for fft, frequency_hz, length_s in zip(ffts, bins_hz.tolist(), lengths_s.tolist(), strict=True)
        ]


# The shortest windows are wider than a semitone: their bins are a semitone apart.
BANKS = (
    Bank(cycles=30, shortest_s=0.05, longest_s=0.30, peak=0.70, split_hz=1500),
    Bank(cycles=12, shortest_s=0.02, longest_s=0.08, peak=0.65, split_hz=400),
    Bank(7, 0.012, 0.045, peak=0.75, split_hz=0, most_cycles=20, step=BINS_PER_SEMITONE, negligible=0.03),
)
_NEAREST_ULTRA = 2 * BINS + np.rint(np.arange(BINS) / BINS_PER_SEMITONE).astype(np.intp)


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


def _thinned(weights: Kernel, negligible: float) -> Kernel:
    size = np.abs(weights)
    thinned: Kernel = np.where(size > negligible * size.max(), weights, 0)
    return thinned


class SparseKernels:
    """Kernels without their zeros: every bin's in one list, so that a frame is one product."""

    def __init__(self, kernels: Iterable[tuple[int, Kernel]]) -> None:
        """Each with the number of its FFT."""
        places, values = [], []
        for fft, weights in kernels:
            rows = np.zeros((_ROWS, _ROW), np.complex64)
            rows.ravel()[:_COEFFICIENTS] = weights
            kept = np.flatnonzero(rows.any(axis=1))
            places.append(fft * _ROWS + kept)
            values.append(rows[kept].ravel())
        self._places, self._values = np.concatenate(places), np.concatenate(values)
        self._starts = np.cumsum([0, *(len(weights) for weights in values[:-1])])

    def workplace(self, streams: int) -> NDArray[np.complex64]:
        """For `apply`: so large that to ask the system for it anew, each time, would take longer than to fill it."""
        return np.empty((streams, len(self._places), _ROW), np.complex64)

    def apply(self, coefficients: NDArray[np.complex64], workplace: NDArray[np.complex64]) -> NDArray[np.complex64]:
        """(streams, FFTs, _ROWS * _ROW) to (streams, kernels)."""
        streams = len(coefficients)
        np.take(coefficients.reshape(streams, -1, _ROW), self._places, axis=1, out=workplace, mode="clip")
        weighted = workplace.reshape(streams, -1)
        weighted *= self._values
        bins: NDArray[np.complex64] = np.add.reduceat(weighted, self._starts, axis=1)
        return bins


@functools.cache
def _kernels() -> SparseKernels:
    """All banks'. Built once a process, in about 60 ms: it depends on nothing."""
    return SparseKernels(kernel for bank in BANKS for kernel in bank.kernels())


class ConstantQ:
    """The banks over `streams` signals at 48 kHz."""

    def __init__(self, streams: int) -> None:
        self._streams = streams
        self._kernels = _kernels()
        self._workplace = self._kernels.workplace(streams)
        self._to_upper = Decimator(streams, lowpass(23, 9_800, 48_000), 2, HOP_FRAMES)
        self._to_lower = Decimator(streams, lowpass(63, 2_550, 24_000), 4, HOP_FRAMES // 2)
        self._heard = np.zeros((streams, len(_RATES_HZ), _FFT_SIZE), np.float32)
        self._coefficients = np.zeros((streams, len(_RATES_HZ), _ROWS * _ROW), np.complex64)
        self._foretold, self._turned = np.zeros((2, streams, BINS), np.complex64)

    def analyse(self, hops: Samples) -> NDArray[np.float32]:
        """Decibels at the end of a hop; shape (streams, SPECTRA, BINS), 0 dB is a sine of amplitude 1.

        Three banks, slow, fast and ultra-fast, and the innovation: how far the fast bank is from what its last two
        frames foretell of a steady tone, after J. P. Bello et al., "On the use of phase and energy for musical onset
        detection in the complex domain" (2004).

        Args:
            hops: shape (streams, HOP_FRAMES), finite.
        """
        upper = self._to_upper.decimate(hops)
        _append(self._heard[:, _UPPER], upper)
        _append(self._heard[:, _LOWER], self._to_lower.decimate(upper))
        np.fft.rfft(self._heard, out=self._coefficients[:, :, :_COEFFICIENTS])  # type: ignore[arg-type]  # as in onset.py
        bins = self._kernels.apply(self._coefficients, self._workplace)
        magnitudes = np.abs(bins)
        fast = slice(BINS, 2 * BINS)
        decibels = np.empty((self._streams, SPECTRA, BINS), np.float32)
        decibels[:, :2] = magnitudes[:, : 2 * BINS].reshape(self._streams, 2, BINS)
        np.take(magnitudes, _NEAREST_ULTRA, axis=1, out=decibels[:, ULTRA], mode="clip")
        np.abs(bins[:, fast] - self._foretold, out=decibels[:, INNOVATION])
        self._foretell(bins[:, fast], magnitudes[:, fast])
        np.maximum(decibels, _FAINTEST, out=decibels)
        np.log10(decibels, out=decibels)
        decibels *= 20
        return decibels

    def _foretell(self, fast: NDArray[np.complex64], magnitudes: NDArray[np.float32]) -> None:
        """A steady tone keeps its magnitude and turns by as much as in the last hop."""
        turned = (fast / np.maximum(magnitudes, _FAINTEST)).astype(np.complex64, copy=False)
        np.multiply(fast, turned * self._turned.conj(), out=self._foretold)
        self._turned = turned


def _append(heard: Samples, block: Samples) -> None:
    """Over the oldest; both (streams, frames)."""
    frames = block.shape[1]
    heard[:, :-frames] = heard[:, frames:]
    heard[:, -frames:] = block
