"""Scores of the detector on sets of music: through the detector itself, clean, through Opus and out of tune."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import augment
import numpy as np
from numpy.typing import NDArray

from jambridge.notes.constantq import ConstantQ
from jambridge.notes.detector import Detector
from jambridge.notes.features import LOWEST_PITCH, PITCHES, Features
from jambridge.notes.frame import HOP_FRAMES
from jambridge.notes.network import Network, Weights
from jambridge.notes.tracker import OperatingPoint, Threshold, Tracker
from tests.bench import notes as bench
from tests.bench.truth import PITCHED, Piece, TrueNote, pieces

VARIANTS = ("clean", "opus", "-35 cents")


def heard(piece: Piece, variant: str) -> Piece:
    """The piece as it comes out of Opus at 128 kbit/s, or played slower by a third of a semitone."""
    sound = piece.hops.ravel()
    if variant == "opus":
        return replace(piece, hops=_hops(augment.opus(sound)))
    if variant == "-35 cents":
        slower, truth = augment.detune(sound, [list(note) for note in piece.notes], -35)
        notes = tuple(TrueNote(on, off, int(midi), int(velocity), *rest) for on, off, midi, velocity, *rest in truth)
        return replace(piece, hops=_hops(slower), notes=notes)
    return piece


def _hops(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    return sound[: len(sound) // HOP_FRAMES * HOP_FRAMES].reshape(-1, HOP_FRAMES)


def _together(group: list[Piece]) -> NDArray[np.float32]:
    """Shape (hops, pieces, HOP_FRAMES), the shorter ones filled up with silence."""
    most = max(len(piece.hops) for piece in group)
    return np.stack([np.pad(piece.hops, ((0, most - len(piece.hops)), (0, 0))) for piece in group], axis=1)


def logits(group: list[Piece], weights: Weights) -> NDArray[np.float32]:
    """Shape (hops, OUTPUTS, pieces, PITCHES)."""
    constant_q, features, network = ConstantQ(len(group)), Features(len(group)), Network(len(group), weights)
    return np.stack([network.logits(features.stack(constant_q.analyse(hops))) for hops in _together(group)])


def follow(group: list[Piece], surely: NDArray[np.float32], point: OperatingPoint) -> list[tuple[Piece, bench.Score]]:
    tracker = Tracker(len(group), point)
    sounding = np.stack([tracker.follow(one) for one in surely])
    rolls = np.zeros((len(group), len(sounding), 128), bool)
    rolls[:, :, LOWEST_PITCH : LOWEST_PITCH + PITCHES] = sounding.swapaxes(0, 1)
    return [
        (piece, bench.score(piece.notes, roll[: len(piece.hops)])) for piece, roll in zip(group, rolls, strict=True)
    ]


def detect(group: list[Piece], threshold: Threshold = "normal") -> list[tuple[Piece, bench.Score]]:
    """As the light process hears them."""
    detector = Detector(len(group), threshold)
    rolls = np.zeros((len(group), max(len(piece.hops) for piece in group), 128), bool)
    for hop, hops in enumerate(_together(group)):
        for roll, detection in zip(rolls, detector.process(hops), strict=True):
            roll[hop, [note.midi for note in detection.notes]] = True
    return [
        (piece, bench.score(piece.notes, roll[: len(piece.hops)])) for piece, roll in zip(group, rolls, strict=True)
    ]


@dataclass(frozen=True)
class Figures:
    f1: float
    precision: float
    recall: float
    octaves: float
    ghosts_s: float
    drum_ghosts_s: float
    noise_ghosts_s: float
    delays_ms: tuple[float, ...]
    """p50 of all, p90 of all, p50 of the middle, p50 of single notes in the middle and from C5."""

    def __str__(self) -> str:
        delays = " ".join(f"{one:.0f}" for one in self.delays_ms)
        return (
            f"F1 {self.f1:.3f} P {self.precision:.3f} R {self.recall:.3f} oct {self.octaves:.3f}"
            f" ghosts/s music {self.ghosts_s:.2f} drums {self.drum_ghosts_s:.2f} noise {self.noise_ghosts_s:.2f}"
            f" ms all p50 p90, mid, mono mid, mono high: {delays}"
        )


def figures(scores: list[tuple[Piece, bench.Score]]) -> Figures:
    pitched = [score for piece, score in scores if piece.category in PITCHED]
    hits, false, missed, octaves = (
        sum(getattr(one, field) for one in pitched) for field in ("hits", "false", "missed", "octaves")
    )
    precision, recall = hits / max(1, hits + false), hits / max(1, hits + missed)
    mono, drums, noise = (
        [score for piece, score in scores if piece.category == kind] for kind in ("mono", "drums", "noise")
    )
    return Figures(
        f1=2 * precision * recall / max(1e-9, precision + recall),
        precision=precision,
        recall=recall,
        octaves=octaves / max(1, hits + false),
        ghosts_s=_ghosts_s(pitched),
        drum_ghosts_s=_ghosts_s(drums),
        noise_ghosts_s=_ghosts_s(noise),
        delays_ms=(
            *(_delay(pitched, percentile) for percentile in (50, 90)),
            _delay(pitched, 50, 52, 72),
            _delay(mono, 50, 52, 72),
            _delay(mono, 50, 72, 128),
        ),
    )


def _ghosts_s(scores: list[bench.Score]) -> float:
    return sum(one.ghosts for one in scores) * 60 / max(1, sum(one.frames for one in scores))


def _delay(scores: list[bench.Score], percentile: float, lowest: int = 0, above: int = 128) -> float:
    delays = [delay for one in scores for midi, delay in one.delays_s if lowest <= midi < above and 0 <= delay < np.inf]
    return float(np.percentile(delays, percentile)) * 1000 if delays else np.nan


def load(folder: Path, variant: str = "clean") -> list[Piece]:
    return [heard(piece, variant) for piece in pieces(folder)]


def report(title: str, folder: Path) -> Iterable[str]:
    for variant in VARIANTS:
        scores = detect(load(folder, variant))
        yield f"{title} {variant:9}: {figures(scores)}"
        if variant == "clean":
            categories = dict.fromkeys(piece.category for piece, _ in scores)
            yield from (
                bench.row(kind, [score for piece, score in scores if piece.category == kind]) for kind in categories
            )
