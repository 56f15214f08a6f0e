"""What the network is shown of each pitch: the bins at its harmonics, stacked. Pure.

Stacked so, every pitch looks the same wherever it lies, and one small set of weights serves all of them.
"""

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.constantq import BINS, BINS_PER_SEMITONE, LOWEST_MIDI

LOWEST_PITCH, HIGHEST_PITCH = 28, 108  # E1 … C8, MIDI
PITCHES = HIGHEST_PITCH - LOWEST_PITCH + 1
PITCH_MIDI = np.arange(LOWEST_PITCH, HIGHEST_PITCH + 1)

_FLOOR_DB = -58.0  # the reference never falls lower: noise is not raised to music
_DECAY_DB = 0.08  # the reference's fall in a frame, 5 dB a second
_RANGE_DB = 60.0
_HEADROOM = 1.2
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
    """The bins of all layers (see `Features.stack`) as places in one flat list."""
    layers = (_SLOW_PARTIALS, _FAST_PARTIALS, _SLOW_CHANGES, _FAST_CHANGES, _FAST_CHANGES)
    bins = [partial_bins(partials) + layer * (BINS + 1) for layer, partials in enumerate(layers)]
    return np.concatenate(bins, axis=1)


def _registers() -> NDArray[np.float32]:
    """Where each pitch lies, since instruments differ by register; shape (PITCHES, 8)."""
    place = (PITCH_MIDI - 68) / 40.0
    humps = [np.exp(-(((PITCH_MIDI - centre) / 8.0) ** 2)) for centre in _REGISTERS_MIDI]
    return np.stack([place, place**2, *humps], axis=1).astype(np.float32)


_BINS_SHOWN = _layered_bins()
_REGISTERS = _registers()
_GLOBALS = 4
FEATURES = _BINS_SHOWN.shape[1] + _REGISTERS.shape[1] + _GLOBALS


class Features:
    """Scales the spectra of `streams` signals to their recent peak and stacks them by harmonics."""

    def __init__(self, streams: int) -> None:
        self._reference_db = np.full(streams, _FLOOR_DB, np.float32)
        self._history: NDArray[np.float32] | None = None
        self._stacked = np.zeros((streams, PITCHES, FEATURES), np.float32)
        self._stacked[:, :, -_GLOBALS - _REGISTERS.shape[1] : -_GLOBALS] = _REGISTERS

    def stack(self, decibels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Spectra of one frame, shape (streams, banks, BINS), to shape (streams, PITCHES, FEATURES).

        The result is overwritten by the next call.
        """
        scaled = self._scaled(decibels)
        past = self._remember(scaled)
        slow, fast = scaled[:, 0], scaled[:, 1]
        rise = fast - past[2][:, 1]
        layers = np.stack([slow, fast, slow - past[3][:, 0], rise, fast - past[5][:, 1]], axis=1)
        shown = np.take(layers.reshape(len(layers), -1), _BINS_SHOWN, axis=1)
        self._stacked[:, :, : _BINS_SHOWN.shape[1]] = shown
        self._stacked[:, :, -_GLOBALS:] = self._globals(slow, fast, rise)[:, np.newaxis]
        return self._stacked

    def _scaled(self, decibels: NDArray[np.float32]) -> NDArray[np.float32]:
        """1 at the recent peak, 0 from _RANGE_DB below; one more bin, zero, at the end."""
        falling = np.maximum(self._reference_db - np.float32(_DECAY_DB), np.float32(_FLOOR_DB))
        self._reference_db = np.maximum(falling, decibels.max(axis=(1, 2)))
        scaled = np.zeros((*decibels.shape[:2], BINS + 1), np.float32)
        below = (decibels - self._reference_db[:, np.newaxis, np.newaxis]) / np.float32(_RANGE_DB)
        np.clip(below + 1, 0, _HEADROOM, out=scaled[:, :, :BINS])
        return scaled

    def _remember(self, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        """The last frames, newest first, shape (_FRAMES, streams, banks, BINS + 1); the first frame has always been."""
        if self._history is None:
            self._history = np.repeat(scaled[np.newaxis], _FRAMES, axis=0)
        self._history = np.concatenate([scaled[np.newaxis], self._history[:-1]])
        return self._history

    def _globals(
        self, slow: NDArray[np.float32], fast: NDArray[np.float32], rise: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Loudness, attack and fullness of the whole frame; shape (streams, _GLOBALS)."""
        values = [
            (self._reference_db + 60) / 60,
            np.maximum(rise[:, :BINS], 0).mean(axis=1) * 4,
            slow[:, :BINS].mean(axis=1) * 2,
            fast[:, :BINS].mean(axis=1) * 2,
        ]
        return np.stack(values, axis=1).astype(np.float32)
