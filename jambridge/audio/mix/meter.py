"""How loud a sound is, as needles show it: fed by the audio callback, read from any thread. Pure."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jambridge.units import SAMPLE_RATE_HZ

SILENT_DBFS = -120.0
PEAK_FALL_S = 0.3  # 29 dB a second: 3 dB between two looks a tenth of a second apart
MEAN_S = 0.2


class Level(NamedTuple):
    """In dB of full scale, at least -120; a full-scale sine has a peak of 0 and an `rms_dbfs` of -3."""

    peak_dbfs: float
    rms_dbfs: float


SILENT = Level(SILENT_DBFS, SILENT_DBFS)


class Loudness:
    """The mean square of a sound, averaged exponentially."""

    def __init__(self) -> None:
        self._mean_square = 0.0
        self._samples = 0

    def hear(self, energy: float, samples: int) -> None:
        """Take in stereo of so many samples, whose squares add up to `energy`."""
        if samples != self._samples:
            self._samples = samples
            self._share = -math.expm1(-samples / 2 / (MEAN_S * SAMPLE_RATE_HZ))
        self._mean_square += (energy / samples - self._mean_square) * self._share

    @property
    def rms_dbfs(self) -> float:
        return _dbfs(math.sqrt(self._mean_square))


class Meter:
    """Rises at once with a peak and lets it fall; beside the loudness."""

    def __init__(self) -> None:
        self._peak = 0.0
        self._loudness = Loudness()
        self._frames = 0

    def hear(self, block: NDArray[np.float32], peak: float) -> None:
        """Take in `block`, shape (frames, 2) and finite, whose largest magnitude is `peak`."""
        if len(block) != self._frames:
            self._frames = len(block)
            self._fall = math.exp(-self._frames / (PEAK_FALL_S * SAMPLE_RATE_HZ))
        self._peak = max(peak, self._peak * self._fall)
        self._loudness.hear(float(np.vdot(block, block)), block.size)

    @property
    def level(self) -> Level:
        return Level(_dbfs(self._peak), self._loudness.rms_dbfs)


def _dbfs(amplitude: float) -> float:
    return max(20 * math.log10(amplitude), SILENT_DBFS) if amplitude > 0 else SILENT_DBFS
