"""Tones, and how loud each is in what was heard. Pure."""

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000
AMPLITUDE = 0.3
_WINDOW = RATE_HZ // 10
_SHORT_WINDOW = RATE_HZ // 40  # a splice spoils one of them

Sound = NDArray[np.float32] | NDArray[np.float64]


def tones(*frequencies_hz: float, seconds: float, amplitude: float = AMPLITUDE) -> NDArray[np.float32]:
    """A tone a channel, shape (frames, channels), at 48 kHz."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * np.outer(time_s, frequencies_hz))).astype(np.float32)


def level_db(sound: Sound, frequency_hz: float) -> NDArray[np.float64]:
    """Of the tone at `frequency_hz` in each channel of `sound`, shape (frames, channels), in dB of full scale.

    The median of windows of 0.1 s: where a playout buffer grows or shrinks, a tone changes its phase.
    """
    return np.median(_levels_db(sound, frequency_hz, _WINDOW), axis=0)


def longest_gap_s(sound: Sound, frequency_hz: float) -> float:
    """How long the tone at `frequency_hz` in one channel, shape (frames,), was ever 6 dB below its usual level."""
    levels = _levels_db(sound[:, np.newaxis], frequency_hz, _SHORT_WINDOW)[:, 0]
    edges = np.flatnonzero(np.diff(levels < np.median(levels) - 6, prepend=False, append=False))
    gaps = np.diff(edges)[::2]
    return float(gaps.max(initial=0)) * _SHORT_WINDOW / RATE_HZ


def pitch_hz(sound: Sound) -> float:
    """Of the loudest tone in one channel, shape (frames,), to a tenth of a hertz or so."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
    return float(np.argmax(spectrum)) * RATE_HZ / (8 * len(sound))


def _levels_db(sound: Sound, frequency_hz: float, frames: int) -> NDArray[np.float64]:
    """As `level_db`, of every whole window of `frames`: shape (windows, channels)."""
    whole = len(sound) // frames * frames
    windows = sound[:whole].reshape(-1, frames, sound.shape[1])
    shape = np.hanning(frames)
    turn = shape * np.exp(-2j * np.pi * frequency_hz / RATE_HZ * np.arange(frames))
    amplitudes: NDArray[np.float64] = 2 * np.abs(np.einsum("f,wfc->wc", turn, windows)) / shape.sum()
    return 20 * np.log10(np.maximum(amplitudes, 1e-9))
