"""Makes the note model: renders, observes, trains, exports and scores. Run by `scripts/train-notes/run`.

render | observe | train | choose | score     one step alone; all of them without a word
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from jambridge.notes import soft_attack
from jambridge.notes.network import MODEL, Weights
from jambridge.notes.tracker import OPERATING_POINTS, OperatingPoint

ITEMS = {"train": 864, "rarer": 160, "validation": 64, "unseen": 64}
TRAINED_ON = ("train", "rarer")
STEPS = 14_000
MINUTES = 55
ATTACK_STEPS = 4_000
STEPS_IN_ORDER = ("render", "observe", "train", "choose", "score")


PROCESSES = 2


def in_processes(step: str, work: Path) -> None:
    """Each does its part of the step: numpy and fluidsynth use a core each."""
    again = [sys.executable, *sys.argv[:1], step, "--work", str(work), "--process"]
    children = [
        subprocess.Popen([*again, str(number)], env=os.environ | {"OMP_NUM_THREADS": "1"})
        for number in range(PROCESSES)
    ]
    if sum(child.wait() for child in children):
        raise SystemExit(1)


def render(work: Path, process: int) -> None:
    import material

    for name, count in ITEMS.items():
        for _ in material.render(work / name, name, range(process, count, PROCESSES)):
            pass


def observe(work: Path, process: int) -> None:
    import attacks
    import dataset

    for name in TRAINED_ON:
        groups = [range(first, first + dataset.TOGETHER) for first in range(0, ITEMS[name], dataset.TOGETHER)]
        for group in groups[process::PROCESSES]:
            dataset.prepare(work / name, group, work / "features" / name)
            attacks.prepare(work / name, group, work / "attacks" / name)


def train(work: Path, steps: int, minutes: float, initial: Path | None) -> None:
    import attacks
    import dataset
    import training

    steps_of_bands = attacks.load([work / "attacks" / name for name in TRAINED_ON])
    attacks.train((steps_of_bands, attacks.noises(attacks.NOISES)), ATTACK_STEPS, soft_attack.MODEL)
    frames = dataset.load([work / "features" / name for name in TRAINED_ON])
    training.train(frames, steps, initial, MODEL, minutes)


def choose(work: Path) -> None:
    """How operating points and flashes do on validation: it is for choosing them."""
    import evaluate

    from tests.bench import onsets

    items = evaluate.load(work / "validation")
    surely = evaluate.logits(items, Weights.load())
    points = [
        OperatingPoint(b, b + once, b - end) for b in (0, 0.5, 1, 1.5, 2, 3) for once in (0, 1) for end in (0.5, 1, 2)
    ]
    for point in (*OPERATING_POINTS.values(), *points):
        print(point, evaluate.summary(evaluate.follow(items, surely, point)), flush=True)
    for sure in (0.5, 1.0, 1.5, 2.0):
        print(onsets.row(f"flash > {sure}", [onsets.listened(item, sure)[0] for item in items]), flush=True)


def score(work: Path, development: Path | None) -> None:
    """Reported on: neither set is for choosing."""
    import evaluate

    for title, folder in (("unseen", work / "unseen"), ("development", development)):
        if folder:
            for line in evaluate.report(title, folder):
                print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/train-notes/run")
    parser.add_argument("steps", nargs="*", choices=[*STEPS_IN_ORDER, []])
    parser.add_argument("--work", type=Path, required=True, help="where sound and features are kept: 6 GB")
    parser.add_argument("--development", type=Path, help="a further set to score: NAME.flac and NAME.json")
    parser.add_argument("--initial", type=Path, help="a model to go on from")
    parser.add_argument("--steps-of-training", type=int, default=STEPS)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which training ends")
    parser.add_argument("--process", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    for step in given.steps or STEPS_IN_ORDER:
        match step:
            case "render" | "observe" if given.process is None:
                in_processes(step, given.work)
            case "render":
                render(given.work, given.process)
            case "observe":
                observe(given.work, given.process)
            case "train":
                train(given.work, given.steps_of_training, given.minutes, given.initial)
            case "choose":
                choose(given.work)
            case "score":
                score(given.work, given.development)


if __name__ == "__main__":
    main()
