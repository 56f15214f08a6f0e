"""What the network is shown of each pitch: the bins at its harmonics, stacked. Pure.

Stacked so, every pitch looks the same wherever it lies, and one small set of weights serves all of them.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.constantq import BINS, BINS_PER_SEMITONE, FAST, LOWEST_MIDI, SLOW, SPECTRA, ULTRA

Floats = NDArray[np.float32]

LOWEST_PITCH, HIGHEST_PITCH = 28, 108  # E1 … C8, MIDI
PITCHES = HIGHEST_PITCH - LOWEST_PITCH + 1
PITCH_MIDI = np.arange(LOWEST_PITCH, HIGHEST_PITCH + 1)

_FLOOR_DB = -58.0  # the reference never falls lower: noise is not raised to music
_DECAY_DB = 0.08  # the reference's fall in a frame, 5 dB a second
_RANGE_DB = 60.0
_STEADY_DB = 0.1  # a bin that never fell for as long as this takes, 6 dB a second, is steady: hum
_FILLING = 18  # frames until the longest window is full: what sounds by then has always been
_NOTHING = BINS  # index of the bin, always zero, that stands for those outside the banks

_TUNING_FRAMES = 90  # within which the tuning is followed
_TUNING_LEVEL = 0.4  # of the reference's: peaks below do not count

STEADY = SPECTRA
OBSERVED = SPECTRA + 1
"""Layers that are observed: the spectra, and what was steady of the slow one."""
CHANGES = ((SLOW, 3), (FAST, 2), (FAST, 5), (ULTRA, 1), (ULTRA, 3))
"""The other layers: how much an observed one has risen within so many frames."""
LAYERS = OBSERVED + len(CHANGES)
GLOBALS = 7

# Of each layer, the partials shown: reach in steps either side.
_SLOW_PARTIALS = {1.0: 6, 2.0: 2, 3.0: 2} | dict.fromkeys(
    (1 / 3, 0.5, 1.5, 2.5, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0), 1
)
_FAST_PARTIALS = {1.0: 3} | dict.fromkeys((0.5, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0), 1)
_ULTRA_PARTIALS = {0.5: 0, 1.0: 2, 2.0: 1, 3.0: 1} | dict.fromkeys((4.0, 5.0, 6.0), 0)
_INNOVATION_PARTIALS = {0.5: 0, 1.0: 2, 2.0: 1, 3.0: 1, 4.0: 0, 5.0: 0}
_STEADY_PARTIALS = dict.fromkeys((1.0, 2.0, 3.0, 5.0), 0)
_FEW, _MORE = dict.fromkeys((1.0, 2.0, 3.0, 4.0), 0), dict.fromkeys((1.0, 2.0, 3.0, 4.0, 5.0, 6.0), 0)
_PARTIALS = (
    *(_SLOW_PARTIALS, _FAST_PARTIALS, _ULTRA_PARTIALS, _INNOVATION_PARTIALS, _STEADY_PARTIALS),
    *(_FEW, _MORE, _MORE, _FEW, _FEW),
)
_REGISTERS_MIDI = (32, 44, 56, 70, 86, 100)


def partial_bins(partials: dict[float, int], step: int = 1) -> NDArray[np.intp]:
    """Bins around the partials of every pitch; shape (PITCHES, bins), rising within a partial.

    Args:
        partials: multiples of the fundamental, and how many steps to either side are shown of each.
        step: bins.
    """
    fundamentals = (PITCH_MIDI - LOWEST_MIDI) * BINS_PER_SEMITONE
    octave = 12 * BINS_PER_SEMITONE
    columns = [
        np.rint(fundamentals + octave * np.log2(partial)).astype(np.intp) + offset * step
        for partial, reach in partials.items()
        for offset in range(-reach, reach + 1)
    ]
    bins = np.stack(columns, axis=1)
    return np.where((bins >= 0) & (bins < BINS), bins, _NOTHING)


def _layered_bins() -> NDArray[np.intp]:
    """The bins of all layers as places in one flat list; shape (bins, PITCHES)."""
    bins = [
        partial_bins(partials, BINS_PER_SEMITONE if layer == ULTRA else 1) + layer * (BINS + 1)
        for layer, partials in enumerate(_PARTIALS)
    ]
    return np.concatenate(bins, axis=1).T.copy()


def _registers() -> Floats:
    """Where each pitch lies, since instruments differ by register; shape (8, PITCHES)."""
    place = (PITCH_MIDI - 68) / 40.0
    humps = [np.exp(-(((PITCH_MIDI - centre) / 8.0) ** 2)) for centre in _REGISTERS_MIDI]
    return np.stack([place, place**2, *humps]).astype(np.float32)


BINS_SHOWN = _layered_bins()
REGISTERS = _registers()
FEATURES = len(BINS_SHOWN) + len(REGISTERS) + GLOBALS


class Features:
    """Scales the spectra of `streams` signals to their recent peak and stacks them by harmonics."""

    def __init__(self, streams: int) -> None:
        self._reference_db = np.full(streams, _FLOOR_DB, np.float32)
        self._past: deque[Floats] = deque(maxlen=1 + max(frames for _, frames in CHANGES))
        self._filling = _FILLING
        self._steady = np.zeros((streams, BINS), np.float32)
        self._tuning = np.zeros(streams, np.complex64)
        self._tuned = np.full(streams, 1e-3, np.float32)
        self._layers = np.zeros((streams, LAYERS, BINS + 1), np.float32)
        places = np.arange(streams)[:, np.newaxis] * (LAYERS * (BINS + 1))
        self._places = BINS_SHOWN[:, np.newaxis] + places
        self._stacked = np.ones((1 + FEATURES, streams, PITCHES), np.float32)
        edges = np.cumsum([1, len(BINS_SHOWN), len(REGISTERS)])
        _, self._shown, registers, self._globals = np.split(self._stacked, edges)
        registers[:] = REGISTERS[:, np.newaxis]

    def stack(self, decibels: Floats) -> Floats:
        """Spectra of one frame, shape (streams, SPECTRA, BINS), to shape (1 + FEATURES, streams, PITCHES).

        The first row is 1, as the network wants it. The result is overwritten by the next call.
        """
        observed, whole = self.observe(decibels)
        self._layers[:, :OBSERVED, :BINS] = observed
        for layer, (of, frames) in enumerate(CHANGES, OBSERVED):
            np.subtract(observed[:, of], self._past[frames][:, of], out=self._layers[:, layer, :BINS])
        np.take(self._layers.ravel(), self._places, out=self._shown, mode="clip")
        self._globals[:] = whole.T[:, :, np.newaxis]
        return self._stacked

    def observe(self, decibels: Floats) -> tuple[Floats, Floats]:
        """The observed layers, shape (streams, OBSERVED, BINS), 1 at the recent peak and 0 from _RANGE_DB below, and
        what is true of all pitches, shape (streams, GLOBALS).
        """
        observed = self._scaled(decibels)
        if not self._past:  # the first frame has always been
            self._past.extend([observed] * (self._past.maxlen or 1))
        if self._filling:
            self._filling -= 1
            self._steady[:] = observed[:, SLOW]
        self._past.appendleft(observed)
        np.minimum(self._steady + np.float32(_STEADY_DB / _RANGE_DB), observed[:, SLOW], out=self._steady)
        observed[:, STEADY] = self._steady
        self._follow_tuning(observed[:, SLOW])
        whole = np.empty((len(observed), GLOBALS), np.float32)
        whole[:, 0] = (self._reference_db + 60) / 60
        whole[:, 1] = _mean(np.maximum(observed[:, FAST] - self._past[2][:, FAST], 0)) * 4
        whole[:, 2] = _mean(np.maximum(observed[:, ULTRA] - self._past[1][:, ULTRA], 0)) * 4
        whole[:, 3:5] = _mean(observed[:, :2]) * 2
        tuning = self._tuning / self._tuned
        whole[:, 5], whole[:, 6] = tuning.real, tuning.imag
        return observed, whole

    def _scaled(self, decibels: Floats) -> Floats:
        falling = np.maximum(self._reference_db - np.float32(_DECAY_DB), np.float32(_FLOOR_DB))
        self._reference_db = np.maximum(falling, decibels[:, : FAST + 1].max(axis=(1, 2)))
        observed = np.empty((len(decibels), OBSERVED, BINS), np.float32)
        spectra = observed[:, :SPECTRA]
        np.subtract(decibels, (self._reference_db - np.float32(_RANGE_DB))[:, np.newaxis, np.newaxis], out=spectra)
        spectra *= np.float32(1 / _RANGE_DB)
        np.maximum(spectra, 0, out=spectra)
        np.minimum(spectra, np.float32(1.2), out=spectra)
        return observed

    def _follow_tuning(self, slow: Floats) -> None:
        """The mean place of the peaks within their semitones, as a point of the unit circle: 1 is in tune."""
        left, middle, right = slow[:, :-2], slow[:, 1:-1], slow[:, 2:]
        streams, bins = np.nonzero((middle > _TUNING_LEVEL) & (middle > left) & (middle >= right))
        left, middle, right = left[streams, bins], middle[streams, bins], right[streams, bins]
        places = bins + 1 + (left - right) / (2 * (left - 2 * middle + right))
        weights = np.square(middle - np.float32(_TUNING_LEVEL))
        points = weights * np.exp(places * (2j * np.pi / BINS_PER_SEMITONE))
        count = len(slow)
        self._tuning *= np.float32(1 - 1 / _TUNING_FRAMES)
        self._tuned *= np.float32(1 - 1 / _TUNING_FRAMES)
        self._tuning += np.bincount(streams, points.real, count) + 1j * np.bincount(streams, points.imag, count)
        self._tuned += np.bincount(streams, weights, count).astype(np.float32)
        np.maximum(self._tuned, np.float32(1e-3), out=self._tuned)


def _mean(of_bins: Floats) -> Floats:
    """Over the last axis, the bins; in half of mean()'s time."""
    mean: Floats = np.add.reduce(of_bins, axis=-1) / np.float32(BINS)
    return mean
