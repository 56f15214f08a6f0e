"""The small network that says how surely each pitch sounds. Pure.

The same weights for every pitch, in three stages. The first sees the harmonics of one pitch and gives a few numbers,
its code. The second sees the codes of the pitches that share harmonics with it, and its own past: it knows an octave
from a partial. The third remembers, and tells the other pitches what it remembers. Trained by `scripts/train-notes`;
here it only runs.
"""

import functools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from jambridge.notes.features import FEATURES, PITCHES

Floats = NDArray[np.float32]

MODEL = Path(__file__).with_name("model.npz")

WIDE, NARROW, CODE, CONTEXT, MEMORY, TOLD, LAST = 64, 32, 12, 64, 24, 6, 32  # units of the layers
NEIGHBOURS = (-24, -19, -16, -12, -7, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 7, 12, 16, 19, 24)  # semitones
LAGS = (1, 2, 5, 10)  # frames
TELLING = (-24, -19, -12, -7, -5, -1, 1, 5, 7, 12, 19, 24)  # semitones
OUTPUTS = 2  # a note sounds; it has just begun
_BEYOND = 24  # pitches outside the range to either side, whose codes are zero

SHAPES = {
    "wide": (FEATURES, WIDE),
    "narrow": (WIDE, NARROW),
    "code": (NARROW, CODE),
    "context": (NARROW + CODE * (1 + len(NEIGHBOURS) + len(LAGS)), CONTEXT),
    "memory": (CONTEXT, 2 * MEMORY),
    "told": (MEMORY, TOLD),
    "last": (CONTEXT + MEMORY + TOLD * len(TELLING), LAST),
    "note": (LAST, OUTPUTS),
}


@dataclass(frozen=True, slots=True)
class Weights:
    """One layer each, of SHAPES, as (outputs, 1 + inputs): the bias is the weight of an input that is always 1."""

    wide: Floats
    narrow: Floats
    code: Floats
    context: Floats
    memory: Floats
    told: Floats
    last: Floats
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

    Units are rows, and the pitches of all streams columns, so that a layer is one product of matrices. The first row
    of every layer's inputs is 1.
    """

    def __init__(self, streams: int, weights: Weights) -> None:
        self._weights = weights
        self._wide, self._seen, self._context, self._remembered, self._summed, self._last = (
            np.ones((1 + units, streams, PITCHES), np.float32)
            for units in (WIDE, SHAPES["context"][0], CONTEXT, MEMORY, SHAPES["last"][0], LAST)
        )
        codes = self._seen[1 + NARROW :].reshape(-1, CODE, streams, PITCHES)
        self._code, self._around, self._before = np.split(codes, [1, 1 + len(NEIGHBOURS)])
        self._past: deque[Floats] = deque(maxlen=max(LAGS) + 1)
        self._neighbours = _Neighbours(CODE, streams, NEIGHBOURS)
        self._memory = self._remembered[1:]
        self._memory[:] = 0
        self._tellers = _Neighbours(TOLD, streams, TELLING)
        self._from_others = self._summed[1 + CONTEXT + MEMORY :].reshape(-1, TOLD, streams, PITCHES)

    def logits(self, features: Floats) -> Floats:
        """(1 + FEATURES, streams, PITCHES) of one frame to (OUTPUTS, streams, PITCHES).

        Above 0 a pitch more likely sounds than not, or has more likely just begun than not.
        """
        weights, seen_alone = self._weights, self._seen[: 1 + NARROW]
        _relu(_layer(weights.wide, features, self._wide[1:]))
        _relu(_layer(weights.narrow, self._wide, seen_alone[1:]))
        _layer(weights.code, seen_alone, self._code[0])
        self._look_around(np.tanh(self._code[0], out=self._code[0]))
        _relu(_layer(weights.context, self._seen, self._context[1:]))
        self._remember()
        self._summed[1 : 1 + CONTEXT] = self._context[1:]
        self._summed[1 + CONTEXT : 1 + CONTEXT + MEMORY] = self._memory
        self._tellers.see(_layer(weights.told, self._remembered), self._from_others)
        _relu(_layer(weights.last, self._summed, self._last[1:]))
        return _layer(weights.note, self._last)

    def _look_around(self, codes: Floats) -> None:
        """Let every pitch see the codes (CODE, streams, PITCHES) of its neighbours, and its own past ones."""
        if not self._past:
            self._past.extend([codes.copy()] * (max(LAGS) + 1))  # the first frame has always been
        self._past.appendleft(codes.copy())
        self._neighbours.see(codes, self._around)
        for index, lag in enumerate(LAGS):
            self._before[index] = self._past[lag]

    def _remember(self) -> None:
        """Each unit moves towards its candidate as far as its gate is open."""
        both = _layer(self._weights.memory, self._context)
        gates, candidates = both[:MEMORY], both[MEMORY:]
        np.tanh(candidates, out=candidates)
        gates *= 0.5
        np.tanh(gates, out=gates)  # the logistic function, without overflow
        gates += 1
        gates *= 0.5
        candidates -= self._memory
        candidates *= gates
        self._memory += candidates


class _Neighbours:
    def __init__(self, units: int, streams: int, semitones: tuple[int, ...]) -> None:
        self._padded = np.zeros((units, streams, _BEYOND + PITCHES + _BEYOND), np.float32)
        self._shifted = np.moveaxis(sliding_window_view(self._padded, PITCHES, axis=2), 2, 0)
        self._ways = list(_progressions([_BEYOND + distance for distance in semitones]))

    def see(self, values: Floats, seen: Floats) -> None:
        """Copy `values` (units, streams, PITCHES) to `seen` (semitones, units, streams, PITCHES), shifted."""
        self._padded[:, :, _BEYOND:-_BEYOND] = values
        for to, of in self._ways:
            seen[to] = self._shifted[of]


def _progressions(places: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Slices of `places` with what they are: as many as are evenly spaced are copied at once."""
    start = 0
    while start < len(places):
        step = places[start + 1] - places[start] if start + 1 < len(places) else 1
        stop = start + 1
        while stop < len(places) and places[stop] - places[stop - 1] == step:
            stop += 1
        yield slice(start, stop), slice(places[start], places[stop - 1] + 1, step)
        start = stop


def _layer(weights: Floats, inputs: Floats, out: Floats | None = None) -> Floats:
    """(outputs, inputs) with (inputs, streams, PITCHES) to (outputs, streams, PITCHES)."""
    if out is None:
        out = np.empty((len(weights), *inputs.shape[1:]), np.float32)
    np.matmul(weights, inputs.reshape(len(inputs), -1), out=out.reshape(len(out), -1))
    return out


def _relu(values: Floats) -> None:
    np.maximum(values, 0, out=values)
