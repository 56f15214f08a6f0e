"""What one output callback costs: mix, limiter, levels and the howl guard's ear, in microseconds, by sources: a table.

python -m tests.bench.mixing [frames]
"""

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.mix.mixer import Mixer
from jambridge.audio.mix.tonality import Ear
from jambridge.units import SAMPLE_RATE_HZ

ROUNDS = 4_000
BLOCKS = 64  # different ones, so that the cache is not flattered
MOST_US = 100.0  # with three sources


def steady(_mixer: Mixer, _at: int) -> None: ...


def fading(mixer: Mixer, at: int) -> None:
    for slot in range(4):
        mixer.set_gain(slot, at // 8 % 2)


SCENES: dict[str, tuple[float, Callable[[Mixer, int], None]]] = {
    "quiet, gain 1": (0.05, steady),
    "limiting": (0.8, steady),
    "every fader moves": (0.05, fading),
}


def costs_us(sources: int, frames: int, rms: float, change: Callable[[Mixer, int], None]) -> NDArray[np.float64]:
    """Of each callback, sorted."""
    noise = np.random.default_rng(1).uniform(-rms, rms, (BLOCKS, sources, frames, 2)).astype(np.float32) * 3**0.5
    ear = Ear()
    mixer, out, costs = Mixer(listen=ear.hear), np.empty((frames, 2), np.float32), np.empty(ROUNDS)
    for at in range(ROUNDS):
        change(mixer, at)
        begun = time.perf_counter_ns()
        mixer.mix(dict(enumerate(noise[at % BLOCKS])), out)
        costs[at] = (time.perf_counter_ns() - begun) / 1000
    return np.sort(costs)


def look_us() -> float:
    """Of one look of the howl guard's ear, ten of which fall in a second."""
    ear = Ear()
    ear.hear(np.random.default_rng(1).uniform(-1, 1, (2048, 2)).astype(np.float32))
    begun = time.perf_counter_ns()
    for _ in range(500):
        ear.spectrum().strongest()
    return (time.perf_counter_ns() - begun) / 1000 / 500


def main(frames: int = 128) -> None:
    sys.stdout.write(
        f"{frames} frames, {frames / SAMPLE_RATE_HZ * 1000:.2f} ms; at most {MOST_US:.0f} with 3 sources\n"
    )
    sys.stdout.write(f"{'':20}{'sources':>8}{'p50 us':>8}{'p99':>8}{'core':>8}\n")
    for scene, (rms, change) in SCENES.items():
        for sources in range(5):
            costs = costs_us(sources, frames, rms, change)
            core = costs.mean() * 1e-6 * SAMPLE_RATE_HZ / frames
            p50, p99 = np.percentile(costs, [50, 99])
            sys.stdout.write(f"{scene:20}{sources:8}{p50:8.1f}{p99:8.1f}{core:8.2%}\n")
    sys.stdout.write(f"the ear's look, on the main thread: {look_us():.0f} us, ten a second\n")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
