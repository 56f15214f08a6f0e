"""What the network is trained on: the layers that the detector itself observes of each item, and its truth."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from jambridge.notes.constantq import ConstantQ
from jambridge.notes.features import HIGHEST_PITCH, LOWEST_PITCH, Features
from jambridge.notes.frame import HOP_FRAMES
from tests.bench.note_scores import true_rolls
from tests.bench.truth import Piece, TrueNote

TOGETHER = 16
_TRUTH = slice(LOWEST_PITCH, HIGHEST_PITCH + 1)


@dataclass(frozen=True)
class Frames:
    """Shapes (items, frames, OBSERVED, BINS), (items, frames, GLOBALS) and twice (items, frames, PITCHES).

    `excused`: the note may be shown or not.
    """

    observed: NDArray[np.float16]
    whole: NDArray[np.float32]
    sounding: NDArray[np.bool_]
    excused: NDArray[np.bool_]


def observe(items: list[Piece]) -> Frames:
    constant_q, features = ConstantQ(len(items)), Features(len(items))
    frames = min(len(item.hops) for item in items)
    observed, whole = [], []
    for hops in np.stack([item.hops[:frames] for item in items], axis=1):
        layers, of_all = features.observe(constant_q.analyse(hops))
        observed.append(layers.astype(np.float16))
        whole.append(of_all)
    ends_s = (np.arange(frames) + 1) / 60
    truth = [true_rolls(item.notes, ends_s) for item in items]
    return Frames(
        np.stack(observed, axis=1),
        np.stack(whole, axis=1),
        np.stack([sounding[:, _TRUTH] for sounding, _ in truth]),
        np.stack([excused[:, _TRUTH] for _, excused in truth]),
    )


def read(path: Path) -> Piece:
    sound, _ = soundfile.read(path, dtype="float32")
    about = json.loads(path.with_suffix(".json").read_text())
    hops = sound[: len(sound) // HOP_FRAMES * HOP_FRAMES].reshape(-1, HOP_FRAMES)
    notes = tuple(TrueNote(*row) for row in about["notes"])
    return Piece(path.stem, about["category"], notes, tuple(about["drum_onsets"]), hops)


def prepare(folder: Path, group: range, cache: Path) -> None:
    """Observe items that are not in the cache, in one go."""
    stored = cache / f"{group[0]:04}.npz"
    if not stored.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _store(stored, [read(folder / f"{number:04}.flac") for number in group])


def _store(path: Path, group: list[Piece]) -> None:
    frames = observe(group)
    np.savez(path, observed=frames.observed, whole=frames.whole, sounding=frames.sounding, excused=frames.excused)


def load(caches: list[Path]) -> Frames:
    groups = [np.load(path) for cache in caches for path in sorted(cache.glob("*.npz"))]
    frames = min(group["whole"].shape[1] for group in groups)
    return Frames(*(np.concatenate([group[name][:, :frames] for group in groups])
                    for name in ("observed", "whole", "sounding", "excused")))  # fmt: skip
