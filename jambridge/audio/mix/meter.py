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


class Meter:
    """Rises at once with a peak and lets it fall; averages the mean square exponentially."""

    def __init__(self) -> None:
        self._peak = 0.0
        self._mean_square = 0.0
        self._frames = 0

    def hear(self, block: NDArray[np.float32], peak: float) -> None:
        """Take in `block`, shape (frames, channels) and finite, whose largest magnitude is `peak`."""
        if len(block) != self._frames:
            self._pace(len(block))
        self._peak = max(peak, self._peak * self._fall)
        self._mean_square += (float(np.vdot(block, block)) / block.size - self._mean_square) * self._share

    @property
    def level(self) -> Level:
        return Level(_dbfs(self._peak), _dbfs(math.sqrt(self._mean_square)))

    def _pace(self, frames: int) -> None:
        self._frames = frames
        self._fall = math.exp(-frames / (PEAK_FALL_S * SAMPLE_RATE_HZ))
        self._share = -math.expm1(-frames / (MEAN_S * SAMPLE_RATE_HZ))


def _dbfs(amplitude: float) -> float:
    return max(20 * math.log10(amplitude), SILENT_DBFS) if amplitude > 0 else SILENT_DBFS
