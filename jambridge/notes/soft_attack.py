"""The small network that knows the attack of a bow or a breath, where the spectrum changes and hardly the level. Pure.

The same weights for every band: each sees its own and its neighbours' last tenth of a second. What they say is averaged
over the spectrum, and the loudest of it kept. Trained by `scripts/train-notes`.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.bands import FINE

Floats = NDArray[np.float32]

MODEL = Path(__file__).with_name("attack.npz")
BANDS = len(FINE.band_starts()) - 1
_ALL = np.float32(BANDS)
BAND_LAGS = (0, 1, 2, 3, 5, 8, 12)  # steps
SIDES = 2  # bands
_OLDEST = max(BAND_LAGS)
_NEWEST_FIRST = _OLDEST - np.array(BAND_LAGS)
_SEEN, _FIRST, _SECOND, _WHOLE = (2 * SIDES + 1) * len(BAND_LAGS), 12, 8, 16
SHAPES = {
    "first": (_SEEN, _FIRST),
    "second": (_FIRST, _SECOND),
    "whole": (2 * _SECOND, _WHOLE),
    "attack": (_WHOLE, 1),
}


@dataclass(frozen=True, slots=True)
class AttackWeights:
    """Of each layer of SHAPES the weights, (inputs, outputs), and the bias."""

    first: tuple[Floats, Floats]
    second: tuple[Floats, Floats]
    whole: tuple[Floats, Floats]
    attack: tuple[Floats, Floats]

    @classmethod
    def of(cls, arrays: Mapping[str, Floats]) -> "AttackWeights":
        """From arrays named `first_weights`, `first_bias`, …."""
        return cls(*((arrays[f"{one.name}_weights"], arrays[f"{one.name}_bias"]) for one in fields(cls)))

    @classmethod
    @functools.cache  # one copy for all detectors of a process
    def load(cls, path: Path = MODEL) -> "AttackWeights":
        with np.load(path) as arrays:
            return cls.of(arrays)


class SoftAttack:
    """Follows one stream's fine bands."""

    def __init__(self, weights: AttackWeights) -> None:
        first, self._bias = weights.first
        beside = first.reshape(2 * SIDES + 1, len(BAND_LAGS), _FIRST)
        self._first = np.ascontiguousarray(beside.transpose(0, 2, 1).reshape(-1, len(BAND_LAGS)))
        self._weights = weights
        self._past: Floats | None = None
        # What each band says to those beside it, with nobody beyond the outermost; and the same as they hear it.
        told = np.zeros((2 * SIDES + 1, _FIRST, SIDES + BANDS + SIDES), np.float32)
        self._told = told.reshape(-1, told.shape[2])[:, SIDES:-SIDES]
        side, unit, band = told.strides
        self._heard = np.ndarray((2 * SIDES + 1, _FIRST, BANDS), told.dtype, told, 0, (side + band, unit, band))

    def follow(self, bands: Floats) -> Floats:
        """Shape (steps, BANDS) to (steps,): above 0 an attack more likely was a moment ago than not."""
        if self._past is None and len(bands):  # the first step has always been
            self._past = np.repeat(bands[:1], _OLDEST, axis=0)
        if self._past is None:
            return np.zeros(0, np.float32)
        known = np.concatenate([self._past, bands])
        self._past = known[len(bands) :]
        return np.array([self._sure(known[step : step + _OLDEST + 1]) for step in range(len(bands))], np.float32)

    def _sure(self, known: Floats) -> float:
        # A layer of what each band says to those beside it is a fifth of one of what each sees of them.
        np.matmul(self._first, known.take(_NEWEST_FIRST, axis=0), out=self._told)
        of_bands = np.add.reduce(self._heard, axis=0)
        of_bands += self._bias[:, np.newaxis]
        weights, bias = self._weights.second
        of_bands = weights.T @ np.maximum(of_bands, 0, out=of_bands)
        of_bands += bias[:, np.newaxis]
        np.maximum(of_bands, 0, out=of_bands)
        pooled = np.concatenate([np.add.reduce(of_bands, axis=1) / _ALL, np.maximum.reduce(of_bands, axis=1)])
        weights, bias = self._weights.whole
        whole = np.maximum(pooled @ weights + bias, 0)
        weights, bias = self._weights.attack
        return float(whole @ weights[:, 0] + bias[0])
