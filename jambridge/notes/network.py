"""The small network that says how surely each pitch sounds. Pure.

Two stages, the same weights for every pitch. The first sees the harmonics of one pitch and gives ten numbers, its
code. The second sees the codes of the pitches that share harmonics with it, and its own past: it knows an octave from a
partial. Trained elsewhere on rendered music; here it only runs.
"""

import functools
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from jambridge.notes.features import FEATURES, PITCHES

Floats = NDArray[np.float32]

MODEL = Path(__file__).with_name("model.npz")

_WIDE, _NARROW, _CODE, _CONTEXT = 40, 24, 10, 32  # units of the layers
_NEIGHBOURS = (-24, -19, -16, -12, -7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7, 12, 16, 19, 24)  # semitones
_LAGS = (2, 5, 10)  # frames
_SEEN = _NARROW + _CODE * (1 + len(_NEIGHBOURS) + len(_LAGS))
_BEYOND = max(_NEIGHBOURS)  # pitches outside the range to either side, whose codes are zero
_SHIFTS = _BEYOND + np.array(_NEIGHBOURS)

SHAPES = {
    "wide": (FEATURES, _WIDE),
    "narrow": (_WIDE, _NARROW),
    "code": (_NARROW, _CODE),
    "context": (_SEEN, _CONTEXT),
    "note": (_CONTEXT, 1),
}


@dataclass(frozen=True, slots=True)
class Weights:
    """One layer each, of SHAPES, as (outputs, 1 + inputs): the bias is the weight of an input that is always 1."""

    wide: Floats
    narrow: Floats
    code: Floats
    context: Floats
    note: Floats

    @classmethod
    def of(cls, arrays: Mapping[str, Floats]) -> "Weights":
        """From arrays named `wide_weights`, `wide_bias`, ….

        Raises:
            ValueError: an array is missing or has another shape.
        """
        layers = {}
        for name, shape in SHAPES.items():
            weights, bias = _array(arrays, f"{name}_weights", shape), _array(arrays, f"{name}_bias", shape[1:])
            layers[name] = np.ascontiguousarray(np.vstack([bias, weights]).T, np.float32)
        return cls(**layers)

    @classmethod
    @functools.cache  # one copy for all detectors of a process
    def load(cls, path: Path = MODEL) -> "Weights":
        with np.load(path) as arrays:
            return cls.of(arrays)


def _array(arrays: Mapping[str, Floats], name: str, shape: tuple[int, ...]) -> Floats:
    if name not in arrays or arrays[name].shape != shape:
        raise ValueError(f"the note model has no {name} of shape {shape}")
    return arrays[name]


class Network:
    """Runs over `streams` signals frame by frame.

    Units are rows and pitches columns, so that a unit's values lie side by side. The first row of every layer's inputs
    is 1.
    """

    def __init__(self, streams: int, weights: Weights) -> None:
        self._weights = weights
        self._wide, self._seen, self._context = (
            np.ones((streams, 1 + units, PITCHES), np.float32) for units in (_WIDE, _SEEN, _CONTEXT)
        )
        codes = self._seen[:, 1 + _NARROW :].reshape(streams, -1, _CODE, PITCHES)
        self._code, self._around, self._before = np.split(codes, [1, 1 + len(_NEIGHBOURS)], axis=1)
        self._past: deque[Floats] = deque(maxlen=max(_LAGS) + 1)
        self._padded = np.zeros((streams, _CODE, _BEYOND + PITCHES + _BEYOND), np.float32)
        self._shifted = np.moveaxis(sliding_window_view(self._padded, PITCHES, axis=2), 2, 1)

    def logits(self, features: Floats) -> Floats:
        """(streams, 1 + FEATURES, PITCHES) of one frame to (streams, PITCHES).

        Above 0 a pitch more likely sounds than not.
        """
        weights, seen_alone = self._weights, self._seen[:, : 1 + _NARROW]
        _relu(np.matmul(weights.wide, features, out=self._wide[:, 1:]))
        _relu(np.matmul(weights.narrow, self._wide, out=seen_alone[:, 1:]))
        self._look_around(np.tanh(weights.code @ seen_alone))
        _relu(np.matmul(weights.context, self._seen, out=self._context[:, 1:]))
        logits: Floats = weights.note @ self._context
        return logits[:, 0]

    def _look_around(self, codes: Floats) -> None:
        """Let every pitch see the codes (streams, _CODE, PITCHES), its own, its neighbours' and its own past ones."""
        if not self._past:
            self._past.extend([codes] * (max(_LAGS) + 1))  # the first frame has always been
        self._past.appendleft(codes)
        self._padded[:, :, _BEYOND:-_BEYOND] = codes
        self._code[:, 0] = codes
        self._around[:] = self._shifted[:, _SHIFTS]
        for index, lag in enumerate(_LAGS):
            self._before[:, index] = self._past[lag]


def _relu(values: Floats) -> None:
    np.maximum(values, 0, out=values)
