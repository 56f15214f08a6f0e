"""How much of a sound is one tone, and which. Pure: the callback only stores, another thread analyses."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.mix.meter import SILENT_DBFS
from jambridge.units import SAMPLE_RATE_HZ

WINDOW_FRAMES = 4096  # 85 ms, bins of 11.7 Hz: nearly all of the sound is seen at ten looks a second
LOWEST_HZ = 60.0  # below: hum and rumble, which no small loudspeaker feeds back

_WINDOW = np.hanning(WINDOW_FRAMES).astype(np.float32)
_POWER = 2 / (WINDOW_FRAMES * float(np.vdot(_WINDOW, _WINDOW)))  # makes squared magnitudes add up to the mean square
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

    def spectrum(self) -> "Spectrum":
        """Of the newest 85 ms."""
        return Spectrum(np.roll(self._ring, -self._at)[-WINDOW_FRAMES:])


class Spectrum:
    """Of `samples`, shape (WINDOW_FRAMES,), finite; without what lies below LOWEST_HZ."""

    def __init__(self, samples: NDArray[np.float32]) -> None:
        bins = np.fft.rfft(samples * _WINDOW)
        self._powers = bins.real**2 + bins.imag**2
        self._powers *= _POWER
        self._powers[:_LOWEST_BIN] = 0
        self._total = float(self._powers.sum())
        self.peak = float(np.abs(samples).max())
        """The largest magnitude among the samples."""

    @property
    def total_dbfs(self) -> float:
        """RMS level of everything."""
        return _dbfs(self._total)

    @property
    def crest_db(self) -> float:
        """How far the peak is above the RMS level: 3 for a sine."""
        return _dbfs(self.peak**2) - self.total_dbfs

    def strongest(self) -> Tone:
        """The tone with the highest peak; NO_TONE in silence."""
        if _dbfs(self._total) <= SILENT_DBFS:
            return NO_TONE
        first = int(self._powers.argmax()) - _REACH  # at least 0: LOWEST_HZ is further away than a tone reaches
        lobe = self._powers[first : first + 2 * _REACH + 1]
        power = float(lobe.sum())
        centre = first + float(np.vdot(lobe, np.arange(len(lobe)))) / power
        return Tone(centre * _BIN_HZ, _dbfs(power), power / self._total)

    def level_dbfs(self, frequency_hz: float) -> float:
        """RMS level of what is within 35 Hz of a frequency."""
        at = round(frequency_hz / _BIN_HZ)
        return _dbfs(float(self._powers[max(0, at - _REACH) : at + _REACH + 1].sum()))


def _dbfs(power: float) -> float:
    return max(10 * math.log10(power), SILENT_DBFS) if power > 0 else SILENT_DBFS
