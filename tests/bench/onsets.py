"""How surely and how soon attacks are told, for pieces with known truth; alone, a table.

    python -m tests.bench.onsets DIRECTORY

Notes that begin within 30 ms of each other are one attack. One told from 10 ms before until 60 ms after is found; its
delay runs from the acoustic onset to the end of the block. The file's first 0.1 s do not count: a sound that begins is
an attack.
"""

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jambridge.notes.onset import ONSET_BLOCK, SURE, OnsetDetector
from jambridge.units import SAMPLE_RATE_HZ
from tests.bench.note_scores import Delays, delays
from tests.bench.truth import Piece, pieces

TOGETHER_S = 0.03
EARLY_S, LATE_S = 0.01, 0.06
START_S = 0.1
TOGETHER = 2  # blocks that come at once, as in a packet of 10 ms
BLOCK_S = ONSET_BLOCK / SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Score:
    attacks: int
    false: int
    seconds: float
    delays_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of several pieces together."""

    precision: float
    recall: float
    f1: float
    false_per_s: float
    delays: Delays


def attacks_s(piece: Piece) -> list[float]:
    attacks: list[float] = []
    for begins_s in sorted([note.begins_s for note in piece.notes] + list(piece.drums_s)):
        if not attacks or begins_s - attacks[-1] > TOGETHER_S:
            attacks.append(begins_s)
    return attacks


def score(attacks: list[float], told_s: list[float], seconds: float) -> Score:
    """Each attack takes the first word about it that no other has taken."""
    left = [told for told in told_s if told > START_S]
    delays_s = []
    for attack_s in attacks:
        heard = next((told for told in left if -EARLY_S <= told - attack_s <= LATE_S), None)
        if heard is not None:
            left.remove(heard)
            delays_s.append(heard - attack_s)
    return Score(len(attacks), len(left), seconds, tuple(delays_s))


def figures(scores: Sequence[Score]) -> Figures:
    found, false = sum(len(one.delays_s) for one in scores), sum(one.false for one in scores)
    precision, recall = found / max(1, found + false), found / max(1, sum(one.attacks for one in scores))
    return Figures(
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / max(1e-9, precision + recall),
        false_per_s=false / max(1e-9, sum(one.seconds for one in scores)),
        delays=delays(delay_s for one in scores for delay_s in one.delays_s),
    )


def listened(piece: Piece, sure: float = SURE) -> tuple[Score, list[float]]:
    """How the live detector does, and its CPU seconds a block."""
    detector, attacked, cpu_s = OnsetDetector(sure), [], []
    for blocks in piece.hops.reshape(-1, TOGETHER, ONSET_BLOCK):
        before = time.thread_time()
        attacked.append(detector.process(blocks))
        cpu_s.append((time.thread_time() - before) / TOGETHER)
    told_s = ((np.flatnonzero(np.concatenate(attacked)) + 1) * BLOCK_S).tolist()
    return score(attacks_s(piece), told_s, piece.hops.size / SAMPLE_RATE_HZ), cpu_s


def row(title: str, scores: Iterable[Score]) -> str:
    one = figures(list(scores))
    return (
        f"{title:15}{one.precision:6.3f}{one.recall:6.3f}{one.f1:6.3f}{one.false_per_s:7.2f} "
        f"{one.delays.median_ms:4.0f} {one.delays.p90_ms:4.0f}"
    )


def main(directory: str) -> None:
    scores: list[tuple[Piece, Score]] = []
    cpu_s = []
    for piece in pieces(Path(directory)):
        one, times_s = listened(piece)
        scores.append((piece, one))
        cpu_s += times_s
    print(f"{'':15}{'P':>6}{'R':>6}{'F1':>6}{'false/s':>7}  p50  p90 ms")
    for piece, one in scores:
        print(row(piece.name, [one]))
    for kind in dict.fromkeys(piece.kind for piece, _ in scores):
        print(row(kind.upper(), [one for piece, one in scores if piece.kind == kind]))
    print(row("ALL", [one for _, one in scores]))
    median, late = np.percentile(cpu_s, [50, 95]) * 1000
    print(f"CPU a block, {TOGETHER} at a time: median {median:.3f} ms, p95 {late:.3f} ms")


if __name__ == "__main__":
    main(*sys.argv[1:])
