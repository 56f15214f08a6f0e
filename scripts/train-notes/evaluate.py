"""Scores of the detector on sets of music: through the detector itself, clean, through Opus and out of tune."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.constantq import ConstantQ
from jambridge.notes.detector import Detector
from jambridge.notes.features import LOWEST_PITCH, PITCHES, Features
from jambridge.notes.network import Network, Weights
from jambridge.notes.tracker import OperatingPoint, Threshold, Tracker
from tests.bench.note_conditions import CONDITIONS
from tests.bench.note_scores import REGISTERS, Score, figures, score
from tests.bench.truth import PITCHED, Piece, pieces

Scored = tuple[Piece, Score]


def _together(group: list[Piece]) -> NDArray[np.float32]:
    """Shape (hops, pieces, HOP_FRAMES), the shorter ones filled up with silence."""
    most = max(len(piece.hops) for piece in group)
    return np.stack([np.pad(piece.hops, ((0, most - len(piece.hops)), (0, 0))) for piece in group], axis=1)


def logits(group: list[Piece], weights: Weights) -> NDArray[np.float32]:
    """Shape (hops, OUTPUTS, pieces, PITCHES)."""
    constant_q, features, network = ConstantQ(len(group)), Features(len(group)), Network(len(group), weights)
    return np.stack([network.logits(features.stack(constant_q.analyse(hops))) for hops in _together(group)])


def follow(group: list[Piece], surely: NDArray[np.float32], point: OperatingPoint) -> list[Scored]:
    tracker = Tracker(len(group), point)
    sounding = np.stack([tracker.follow(one) for one in surely])
    rolls = np.zeros((len(group), len(sounding), 128), bool)
    rolls[:, :, LOWEST_PITCH : LOWEST_PITCH + PITCHES] = sounding.swapaxes(0, 1)
    return [(piece, score(piece.notes, roll[: len(piece.hops)])) for piece, roll in zip(group, rolls, strict=True)]


def detect(group: list[Piece], threshold: Threshold = "normal") -> list[Scored]:
    """As the light process hears them."""
    detector = Detector(len(group), threshold)
    rolls = np.zeros((len(group), max(len(piece.hops) for piece in group), 128), bool)
    for hop, hops in enumerate(_together(group)):
        for roll, detection in zip(rolls, detector.process(hops), strict=True):
            roll[hop, [note.midi for note in detection.notes]] = True
    return [(piece, score(piece.notes, roll[: len(piece.hops)])) for piece, roll in zip(group, rolls, strict=True)]


def summary(scores: Sequence[Scored]) -> str:
    """Of all that has pitch; ghosts a second also of drums and of what is no music; delays in ms."""
    of = dict(_kinds(scores))
    music = [one for piece, one in scores if piece.category in PITCHED]
    whole, single = figures(music), of.get("mono", [])
    delays = [
        whole.delays.median_ms,
        whole.delays.p90_ms,
        figures(music, REGISTERS["middle"]).delays.median_ms,
        figures(single, REGISTERS["middle"]).delays.median_ms,
        figures(single, REGISTERS["from C5"]).delays.median_ms,
    ]
    ghosts = (figures(one).ghosts_per_s for one in (music, of.get("drums", []), of.get("noise", [])))
    return (
        f"F1 {whole.f1:.3f} P {whole.precision:.3f} R {whole.recall:.3f} octaves {whole.octaves:.3f}"
        f" ghosts/s music, drums, noise: {' '.join(f'{one:.2f}' for one in ghosts)}"
        f" ms p50 and p90 of all, middle, single notes middle and from C5: {' '.join(f'{one:.0f}' for one in delays)}"
    )


def _kinds(scores: Sequence[Scored]) -> Iterable[tuple[str, list[Score]]]:
    for kind in dict.fromkeys(piece.category for piece, _ in scores):
        yield kind, [one for piece, one in scores if piece.category == kind]


def load(folder: Path, condition: str = "clean") -> list[Piece]:
    return [CONDITIONS[condition](piece) for piece in pieces(folder)]


def report(title: str, folder: Path) -> Iterable[str]:
    for condition in CONDITIONS:
        scores = detect(load(folder, condition))
        yield f"{title}, {condition}: {summary(scores)}"
        if condition == "clean":
            for kind, of_kind in _kinds(scores):
                whole = figures(of_kind)
                yield f"  {kind}: F1 {whole.f1:.3f}, {whole.ghosts_per_s:.2f} ghosts/s"
