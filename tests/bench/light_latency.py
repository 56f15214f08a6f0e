"""From a note at a sending peer to the light: three peers, piano attacks under three a second over all.

An attack's time is when its first audible sample was handed over in a block of 128 frames, before it is packed and
encoded; a packet's is the kernel's time of arrival on the WLED's wire. The flash is the first frame that is brighter by
STEP than the darkest since the attack; the right colour is the first frame that shows the key's pitch class, which
counts only where it was not shown before. Once the keys are short, so that a dark strip lights up; once they are held,
so that those of the other two still sound and shine.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.stage import PIXELS, open_stage, table
from tests.scenarios.capture import Frame
from tests.scenarios.palette import pitch_classes

SECONDS = 40.0  # of each
SETTLE_S = 2.0
MISSED_AFTER_S = 0.3
BEFORE_S = 0.12
BAR_S = 0.05
STEP = 0.04  # of full light, the brightest channel's mean over the strip


@dataclass(frozen=True, slots=True)
class Attack:
    at: float
    midi: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Seconds after an attack; infinite if it never came."""

    flash_s: float
    colour_s: float


def answer(attack: Attack, frames: Sequence[Frame], arrivals: NDArray[np.float64]) -> Answer:
    """What the strip made of one attack; NaN for a colour that was there already."""
    first = int(np.searchsorted(arrivals, attack.at))
    last = int(np.searchsorted(arrivals, attack.at + MISSED_AFTER_S))
    darkest, shown = (_light(frames[first - 1]), pitch_classes(frames[first - 1].pixels)) if first else (0.0, ())
    flash_s = np.inf
    colour_s = np.nan if attack.midi % 12 in shown else np.inf
    for frame in frames[first:last]:
        darkest = min(darkest, _light(frame))
        if np.isinf(flash_s) and _light(frame) >= darkest + STEP:
            flash_s = frame.at - attack.at
        if np.isinf(colour_s) and attack.midi % 12 in pitch_classes(frame.pixels):
            colour_s = frame.at - attack.at
    return Answer(flash_s, colour_s)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    for act in ("short", "held"):
        attacks, frames = _record(act, seconds)
        arrivals = np.array([frame.at for frame in frames])
        _print(act, attacks, [answer(attack, frames, arrivals) for attack in attacks])
        nothing = [answer(Attack(attack.at - BEFORE_S, -1), frames, arrivals) for attack in attacks]
        false = sum(one.flash_s <= BAR_S for one in nothing)
        print(f"With no key, {BEFORE_S} s before each: {false} of {len(nothing)} seem to flash within 50 ms.\n")


def _record(act: str, seconds: float) -> tuple[list[Attack], list[Frame]]:
    with open_stage(act) as stage:
        time.sleep(SETTLE_S)
        begin = time.monotonic()
        time.sleep(seconds)
        end = time.monotonic() - MISSED_AFTER_S
        said = [Attack(one["at"], int(one["midi"])) for one in stage.stop_musicians()]
        frames = stage.wire.frames(PIXELS)
    return sorted((one for one in said if begin <= one.at <= end), key=lambda one: one.at), frames


def _print(act: str, attacks: Sequence[Attack], answers: Sequence[Answer]) -> None:
    flashes_ms = 1000 * np.array([one.flash_s for one in answers])
    colours_ms = 1000 * np.array([one.colour_s for one in answers])
    rate = (len(attacks) - 1) / (attacks[-1].at - attacks[0].at)
    rows = [
        ("flash", *_quantiles(flashes_ms), "35 / 50", "25 / 40"),
        ("right colour", *_quantiles(colours_ms[~np.isnan(colours_ms)]), "60 / -", "50 / -"),
    ]
    title = f"Attacks on {act} keys, three peers, {rate:.1f} a second over all: key to packet on the WLED's wire, ms"
    table(title, ("", "attacks", "p50", "p90", "p99", "missed", "bar p50 / p90", "reach for"), rows)


def _quantiles(milliseconds: NDArray[np.float64]) -> tuple[str, ...]:
    """What never came counts as infinitely late."""
    ordered = np.quantile(milliseconds, [0.5, 0.9, 0.99], method="higher")
    return (str(len(milliseconds)), *(f"{one:.1f}" for one in ordered), str(int(np.isinf(milliseconds).sum())))


def _light(frame: Frame) -> float:
    return float(frame.pixels.max(axis=1).mean()) / 255


if __name__ == "__main__":
    main()
