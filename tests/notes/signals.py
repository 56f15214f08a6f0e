"""Sounds of which everything is known."""

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.frame import HOP_FRAMES
from jambridge.units import SAMPLE_RATE_HZ, hz

Sound = NDArray[np.float32]


def tone(note: float, seconds: float = 1.0, amplitude: float = 0.1, partials: int = 8) -> Sound:
    """A steady tone, partial k at 1/k; `note` is a fractional MIDI number."""
    times_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    waves = [
        np.sin(2 * np.pi * k * hz(note) * times_s + k) / k
        for k in range(1, partials + 1)
        if k * hz(note) < SAMPLE_RATE_HZ / 2
    ]
    sound: Sound = (amplitude * np.sum(waves, axis=0)).astype(np.float32)
    return sound


def pluck(note: float, seconds: float = 1.0, amplitude: float = 0.2) -> Sound:
    """A tone that rises in 2 ms and dies away, its upper partials with it."""
    times_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    envelope = np.minimum(1, times_s / 0.002) * np.exp(-times_s / 0.4)
    return tone(note, seconds, amplitude) * envelope.astype(np.float32)


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)


def noise(seconds: float, rms: float, *, pink: bool = True) -> Sound:
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(round(seconds * SAMPLE_RATE_HZ)))
    if pink:
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        spectrum[0] = 0
    return _at(rms, np.fft.irfft(spectrum))


def hum(seconds: float, rms: float, mains_hz: float = 50.0) -> Sound:
    times_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return _at(rms, np.sum([np.sin(2 * np.pi * k * mains_hz * times_s + k) / k for k in range(1, 8)], axis=0))


def _at(rms: float, waves: NDArray[np.float64]) -> Sound:
    sound: Sound = (waves * rms / np.sqrt(np.mean(waves**2))).astype(np.float32)
    return sound


def in_hops(sound: Sound) -> Sound:
    """Shape (hops, HOP_FRAMES); the rest is left."""
    return sound[: len(sound) // HOP_FRAMES * HOP_FRAMES].reshape(-1, HOP_FRAMES)
