"""From a note at a sending peer to the light: three peers, piano attacks under three a second over all.

An attack's time is when its first audible sample was handed over in a block of 128 frames, before it is packed and
encoded; a packet's is the kernel's time of arrival on the WLED's wire. The flash is the first frame that is brighter by
STEP than the darkest since the attack; the right colour is the first frame that shows the key's pitch class.
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

SECONDS = 40.0
SETTLE_S = 2.0
MISSED_AFTER_S = 0.3
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
    """What the strip made of one attack."""
    first = int(np.searchsorted(arrivals, attack.at))
    last = int(np.searchsorted(arrivals, attack.at + MISSED_AFTER_S))
    darkest = _light(frames[first - 1]) if first else 0.0
    flash_s = colour_s = np.inf
    for frame in frames[first:last]:
        darkest = min(darkest, _light(frame))
        if np.isinf(flash_s) and _light(frame) >= darkest + STEP:
            flash_s = frame.at - attack.at
        if np.isinf(colour_s) and attack.midi % 12 in pitch_classes(frame.pixels):
            colour_s = frame.at - attack.at
    return Answer(flash_s, colour_s)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with open_stage(["attacks"]) as stage:
        time.sleep(SETTLE_S)
        begin = time.monotonic()
        time.sleep(seconds)
        end = time.monotonic() - MISSED_AFTER_S
        said = [Attack(one["at"], int(one["midi"])) for one in stage.stop_musicians()]
        frames = stage.wire.frames(PIXELS)
    attacks = sorted((one for one in said if begin <= one.at <= end), key=lambda one: one.at)
    arrivals = np.array([frame.at for frame in frames])
    _print(attacks, [answer(attack, frames, arrivals) for attack in attacks])


def _print(attacks: Sequence[Attack], answers: Sequence[Answer]) -> None:
    flashes_ms = 1000 * np.array([one.flash_s for one in answers])
    colours_ms = 1000 * np.array([one.colour_s for one in answers])
    rate = len(attacks) / (attacks[-1].at - attacks[0].at)
    rows = [
        ("flash", *_quantiles(flashes_ms), "35 / 50", "25 / 40"),
        ("right colour", *_quantiles(colours_ms), "60 / -", "50 / -"),
    ]
    title = f"{len(attacks)} piano attacks of three peers, {rate:.1f} a second: key to packet on the WLED's wire, ms"
    table(title, ("", "p50", "p90", "p99", "missed", "bar p50 / p90", "reach for"), rows)


def _quantiles(milliseconds: NDArray[np.float64]) -> tuple[str, ...]:
    """What never came counts as infinitely late."""
    ordered = np.quantile(milliseconds, [0.5, 0.9, 0.99], method="higher")
    return (*(f"{one:.1f}" for one in ordered), str(int(np.isinf(milliseconds).sum())))


def _light(frame: Frame) -> float:
    return float(frame.pixels.max(axis=1).mean()) / 255


if __name__ == "__main__":
    main()
