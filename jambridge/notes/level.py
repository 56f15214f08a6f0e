"""Samples made safe, and how loud they are. Pure."""

import math

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SILENCE_DBFS = -120.0
LOUDEST = 4.0  # 12 dB over full scale: decoders overshoot a little, beyond it is no sound
FAINTEST = 1e-9  # -180 dBFS; below lie the denormals, which cost a hundred times the time


def safe(samples: Samples) -> Samples:
    """A copy of the same shape with zeros for what is not finite, absurdly loud or too faint to be anything."""
    size, made_safe = np.abs(samples), samples.copy()
    made_safe[~((size <= LOUDEST) & (size >= FAINTEST))] = 0
    return made_safe


def dbfs(samples: Samples) -> float:
    """RMS of safe samples in dB of a full-scale square wave, not below SILENCE_DBFS."""
    power = float(np.vdot(samples, samples)) / samples.size
    return max(SILENCE_DBFS, 10 * math.log10(power)) if power > 0 else SILENCE_DBFS
