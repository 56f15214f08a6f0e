"""Tones, and how loud each is in what was heard. Pure."""

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 48_000
AMPLITUDE = 0.3
_WINDOW = RATE_HZ // 10

Sound = NDArray[np.float32] | NDArray[np.float64]


def tones(*frequencies_hz: float, seconds: float, amplitude: float = AMPLITUDE) -> NDArray[np.float32]:
    """A tone a channel, shape (frames, channels), at 48 kHz."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * np.outer(time_s, frequencies_hz))).astype(np.float32)


def level_db(sound: Sound, frequency_hz: float) -> NDArray[np.float64]:
    """Of the tone at `frequency_hz` in each channel of `sound`, shape (frames, channels), in dB of full scale.

    The median of windows of 0.1 s: where a playout buffer grows or shrinks, a tone changes its phase.
    """
    return np.median(levels_db(sound, frequency_hz), axis=0)


def levels_db(sound: Sound, frequency_hz: float) -> NDArray[np.float64]:
    """As `level_db`, of every whole window: shape (windows, channels)."""
    whole = len(sound) // _WINDOW * _WINDOW
    windows = sound[:whole].reshape(-1, _WINDOW, sound.shape[1])
    shape = np.hanning(_WINDOW)
    turn = shape * np.exp(-2j * np.pi * frequency_hz / RATE_HZ * np.arange(_WINDOW))
    amplitudes: NDArray[np.float64] = 2 * np.abs(np.einsum("f,wfc->wc", turn, windows)) / shape.sum()
    return 20 * np.log10(np.maximum(amplitudes, 1e-9))


def pitch_hz(sound: Sound) -> float:
    """Of the loudest tone in one channel, shape (frames,), to a tenth of a hertz or so."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
    return float(np.argmax(spectrum)) * RATE_HZ / (8 * len(sound))
