"""The small network that says how surely each pitch sounds. Pure.

Two stages, the same weights for every pitch. The first sees the harmonics of one pitch and gives ten numbers, its
code. The second sees the codes of the pitches that share harmonics with it, and its own past: it knows an octave from a
partial. Trained elsewhere on rendered music; here it only runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.features import FEATURES, PITCHES

Floats = NDArray[np.float32]

MODEL = Path(__file__).with_name("model.npz")

_WIDE, _NARROW, _CODE, _CONTEXT = 40, 24, 10, 32  # units of the layers
_NEIGHBOURS = (-24, -19, -16, -12, -7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7, 12, 16, 19, 24)  # semitones
_LAGS = (2, 5, 10)  # frames
_SEEN = _NARROW + _CODE * (1 + len(_NEIGHBOURS) + len(_LAGS))
_NOBODY = PITCHES  # index of the code, always zero, of pitches outside the range

SHAPES = {
    "wide": (FEATURES, _WIDE),
    "narrow": (_WIDE, _NARROW),
    "code": (_NARROW, _CODE),
    "context": (_SEEN, _CONTEXT),
    "note": (_CONTEXT, 1),
}


@dataclass(frozen=True, slots=True)
class Layer:
    weights: Floats
    bias: Floats

    def __call__(self, inputs: Floats) -> Floats:
        """(…, inputs) to (…, outputs)."""
        outputs: Floats = inputs @ self.weights
        outputs += self.bias
        return outputs


@dataclass(frozen=True, slots=True)
class Weights:
    """One layer each, of SHAPES."""

    wide: Layer
    narrow: Layer
    code: Layer
    context: Layer
    note: Layer

    @classmethod
    def of(cls, arrays: Mapping[str, Floats]) -> "Weights":
        """From arrays named `wide_weights`, `wide_bias`, ….

        Raises:
            ValueError: an array is missing or has another shape.
        """
        layers = {}
        for name, shape in SHAPES.items():
            layer = Layer(_array(arrays, f"{name}_weights", shape), _array(arrays, f"{name}_bias", shape[1:]))
            layers[name] = layer
        return cls(**layers)

    @classmethod
    def load(cls, path: Path = MODEL) -> "Weights":
        with np.load(path) as arrays:
            return cls.of(arrays)


def _array(arrays: Mapping[str, Floats], name: str, shape: tuple[int, ...]) -> Floats:
    if name not in arrays or arrays[name].shape != shape:
        raise ValueError(f"the note model has no {name} of shape {shape}")
    return np.ascontiguousarray(arrays[name], np.float32)


def _neighbours() -> NDArray[np.intp]:
    """Pitch indices, shape (PITCHES, neighbours)."""
    neighbours = np.arange(PITCHES)[:, np.newaxis] + np.array(_NEIGHBOURS)
    return np.where((neighbours >= 0) & (neighbours < PITCHES), neighbours, _NOBODY)


class Network:
    """Runs over `streams` signals frame by frame."""

    def __init__(self, streams: int, weights: Weights) -> None:
        self._streams = streams
        self._weights = weights
        self._neighbours = _neighbours().ravel()
        self._past: Floats | None = None

    def logits(self, features: Floats) -> Floats:
        """(streams, PITCHES, FEATURES) of one frame to (streams, PITCHES): above 0 more likely sounding than not."""
        hidden = _relu(self._weights.narrow(_relu(self._weights.wide(features))))
        codes = np.zeros((self._streams, PITCHES + 1, _CODE), np.float32)
        np.tanh(self._weights.code(hidden), out=codes[:, :PITCHES])
        past = self._remember(codes)
        around = np.take(codes, self._neighbours, axis=1).reshape(self._streams, PITCHES, -1)
        before = [past[lag][:, :PITCHES] for lag in _LAGS]
        seen = np.concatenate([hidden, codes[:, :PITCHES], around, *before], axis=2)
        return self._weights.note(_relu(self._weights.context(seen)))[:, :, 0]

    def _remember(self, codes: Floats) -> Floats:
        """The last codes, newest first, shape (frames, …); the first frame has always been."""
        if self._past is None:
            self._past = np.repeat(codes[np.newaxis], max(_LAGS) + 1, axis=0)
        self._past = np.concatenate([codes[np.newaxis], self._past[:-1]])
        return self._past


def _relu(values: Floats) -> Floats:
    return np.maximum(values, 0, out=values)
