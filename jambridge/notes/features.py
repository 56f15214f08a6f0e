"""What the network is shown of each pitch: the bins at its harmonics, stacked. Pure.

Stacked so, every pitch looks the same wherever it lies, and one small set of weights serves all of them.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.constantq import BINS, BINS_PER_SEMITONE, LOWEST_MIDI

LOWEST_PITCH, HIGHEST_PITCH = 28, 108  # E1 … C8, MIDI
PITCHES = HIGHEST_PITCH - LOWEST_PITCH + 1
PITCH_MIDI = np.arange(LOWEST_PITCH, HIGHEST_PITCH + 1)

_FLOOR_DB = -58.0  # the reference never falls lower: noise is not raised to music
_DECAY_DB = 0.08  # the reference's fall in a frame, 5 dB a second
_RANGE_DB = 60.0
_FRAMES = 6  # of history: the longest difference looks back five
_NOTHING = BINS  # index of the bin, always zero, that stands for those outside the banks

# Partial: reach in bins either side.
_SLOW_PARTIALS = {1.0: 6, 2.0: 2, 3.0: 2} | dict.fromkeys(
    (1 / 3, 0.5, 1.5, 2.5, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0), 1
)
_FAST_PARTIALS = {1.0: 3} | dict.fromkeys((0.5, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0), 1)
_SLOW_CHANGES = dict.fromkeys((1.0, 2.0, 3.0, 4.0), 0)
_FAST_CHANGES = dict.fromkeys((1.0, 2.0, 3.0, 4.0, 5.0, 6.0), 0)
_REGISTERS_MIDI = (32, 44, 56, 70, 86, 100)


def partial_bins(partials: dict[float, int]) -> NDArray[np.intp]:
    """Bins around the partials of every pitch; shape (PITCHES, bins), rising within a partial.

    Args:
        partials: multiples of the fundamental, and how many bins to either side are shown of each.
    """
    fundamentals = (PITCH_MIDI - LOWEST_MIDI) * BINS_PER_SEMITONE
    octave = 12 * BINS_PER_SEMITONE
    columns = [
        np.rint(fundamentals + octave * np.log2(partial)).astype(np.intp) + offset
        for partial, reach in partials.items()
        for offset in range(-reach, reach + 1)
    ]
    bins = np.stack(columns, axis=1)
    return np.where((bins >= 0) & (bins < BINS), bins, _NOTHING)


def _layered_bins() -> NDArray[np.intp]:
    """The bins of all layers (see `Features.stack`) as places in one flat list; shape (bins, PITCHES)."""
    layers = (_SLOW_PARTIALS, _FAST_PARTIALS, _SLOW_CHANGES, _FAST_CHANGES, _FAST_CHANGES)
    bins = [partial_bins(partials) + layer * (BINS + 1) for layer, partials in enumerate(layers)]
    return np.concatenate(bins, axis=1).T.copy()


def _registers() -> NDArray[np.float32]:
    """Where each pitch lies, since instruments differ by register; shape (8, PITCHES)."""
    place = (PITCH_MIDI - 68) / 40.0
    humps = [np.exp(-(((PITCH_MIDI - centre) / 8.0) ** 2)) for centre in _REGISTERS_MIDI]
    return np.stack([place, place**2, *humps]).astype(np.float32)


_BINS_SHOWN = _layered_bins()
_REGISTERS = _registers()
_LAYERS, _GLOBALS = 5, 4
FEATURES = len(_BINS_SHOWN) + len(_REGISTERS) + _GLOBALS


class Features:
    """Scales the spectra of `streams` signals to their recent peak and stacks them by harmonics."""

    def __init__(self, streams: int) -> None:
        self._reference_db = np.full(streams, _FLOOR_DB, np.float32)
        self._history: deque[NDArray[np.float32]] = deque(maxlen=_FRAMES)
        self._layers = np.zeros((streams, _LAYERS, BINS + 1), np.float32)
        self._stacked = np.ones((streams, 1 + FEATURES, PITCHES), np.float32)
        edges = np.cumsum([1, len(_BINS_SHOWN), len(_REGISTERS)])
        _, self._shown, registers, self._globals = np.split(self._stacked, edges, axis=1)
        registers[:] = _REGISTERS

    def stack(self, decibels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Spectra of one frame, shape (streams, banks, BINS), to shape (streams, 1 + FEATURES, PITCHES).

        The first row is 1, as the network wants it. The result is overwritten by the next call.
        """
        scaled = self._scaled(decibels)
        past = self._remember(scaled)
        slow, fast = scaled[:, 0], scaled[:, 1]
        self._layers[:, :2] = scaled
        np.subtract(slow, past[3][:, 0], out=self._layers[:, 2])
        rise = np.subtract(fast, past[2][:, 1], out=self._layers[:, 3])
        np.subtract(fast, past[5][:, 1], out=self._layers[:, 4])
        self._shown[:] = np.take(self._layers.reshape(len(scaled), -1), _BINS_SHOWN, axis=1)
        self._globals[:, 0] = (self._reference_db[:, np.newaxis] + 60) / 60
        self._globals[:, 1] = np.maximum(rise, 0).sum(axis=1, keepdims=True) * (4 / BINS)
        self._globals[:, 2:] = scaled.sum(axis=2, keepdims=True) * (2 / BINS)
        return self._stacked

    def _scaled(self, decibels: NDArray[np.float32]) -> NDArray[np.float32]:
        """1 at the recent peak, 0 from _RANGE_DB below; one more bin, zero, at the end."""
        falling = np.maximum(self._reference_db - _DECAY_DB, _FLOOR_DB)
        self._reference_db = np.maximum(falling, decibels.max(axis=(1, 2)))
        scaled = np.zeros((*decibels.shape[:2], BINS + 1), np.float32)
        bins = scaled[:, :, :BINS]
        np.subtract(decibels, (self._reference_db - _RANGE_DB)[:, np.newaxis, np.newaxis], out=bins)
        bins *= 1 / _RANGE_DB
        np.maximum(bins, 0, out=bins)
        return scaled

    def _remember(self, scaled: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        """The last _FRAMES frames, newest first; the first frame has always been."""
        if not self._history:
            self._history.extend([scaled] * _FRAMES)
        self._history.appendleft(scaled)
        return self._history
