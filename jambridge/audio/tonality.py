"""How much of a sound is one tone, and which. Pure: the callback only stores, another thread analyses."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.meter import SILENT_DBFS
from jambridge.units import SAMPLE_RATE_HZ

WINDOW_FRAMES = 4096  # 85 ms, bins of 11.7 Hz: nearly all of the sound is seen at ten looks a second
LOWEST_HZ = 60.0  # below: hum and rumble, which no small loudspeaker feeds back

_WINDOW = np.hanning(WINDOW_FRAMES).astype(np.float32)
_POWER = 2 / (WINDOW_FRAMES * float(np.vdot(_WINDOW, _WINDOW)))  # of a bin to mean square
_BIN_HZ = SAMPLE_RATE_HZ / WINDOW_FRAMES
_LOWEST_BIN = round(LOWEST_HZ / _BIN_HZ)
_REACH = 3  # bins either side that belong to a tone: the window's main lobe, and a little wander


class Tone(NamedTuple):
    """The strongest tone of a sound: its RMS level, and its share of the sound's power, 0..1."""

    frequency_hz: float
    level_dbfs: float
    tonality: float


NO_TONE = Tone(0.0, SILENT_DBFS, 0.0)


class Ear:
    """The newest 170 ms as one channel. One thread hears, another may look at any time."""

    def __init__(self) -> None:
        self._ring = np.zeros(2 * WINDOW_FRAMES, np.float32)
        self._at = 0

    def hear(self, block: NDArray[np.float32]) -> None:
        """Store the mean of the channels of `block`, shape (frames, 2), at most half of what is kept."""
        end = self._at + len(block)
        if end > len(self._ring):
            fits = len(self._ring) - self._at
            self.hear(block[:fits])
            self.hear(block[fits:])
            return
        mono = np.add(block[:, 0], block[:, 1], out=self._ring[self._at : end])
        mono *= 0.5
        self._at = end % len(self._ring)

    def tone(self) -> Tone:
        """Of the newest 85 ms."""
        at = self._at
        return strongest_tone(np.roll(self._ring, -at)[-WINDOW_FRAMES:])


def strongest_tone(samples: NDArray[np.float32]) -> Tone:
    """Of `samples`, shape (WINDOW_FRAMES,), finite."""
    spectrum = np.fft.rfft(samples * _WINDOW)
    powers = spectrum.real**2 + spectrum.imag**2
    powers[:_LOWEST_BIN] = 0
    total, top = float(powers.sum()), int(powers.argmax())
    if total * _POWER <= 10 ** (SILENT_DBFS / 10):
        return NO_TONE
    first = max(0, top - _REACH)
    lobe = powers[first : top + _REACH + 1]
    power = float(lobe.sum())
    centre = float(np.vdot(lobe, np.arange(first, first + len(lobe)))) / power
    return Tone(centre * _BIN_HZ, 10 * math.log10(power * _POWER), power / total)
