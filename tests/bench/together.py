"""Two bridges in one room, one of them 30 ms further away: how far apart their strips show the same hue.

Each box has a virtual WLED beside it, on its own host, so that frames have no way to go; the musician, and the other
box, are behind the cable. A beginning is a frame that shows a pitch class which the frame before did not.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jambridge.light.presenting import When
from tests.bench.stage import table
from tests.fakes.impaired import Impairment
from tests.scenarios.capture import Frame, capture
from tests.scenarios.daemon import open_daemon, open_wled
from tests.scenarios.impaired import impaired
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import network
from tests.scenarios.palette import pitch_classes

ROOM = "FLASH1"
SECONDS = 60.0
SETTLE_S = 15.0  # until it is known how late sound comes
PIXELS = 60
SAME_S = 0.25  # further apart, it is not the same note
FAR = Impairment(delay_ms=30.0)
SHAKY = Impairment(delay_ms=30.0, jitter_ms=10.0, in_order=True)


@dataclass(frozen=True, slots=True)
class Apart:
    """Seconds by which the far strip is later at each beginning that both show; and how many only one of them shows."""

    seconds: NDArray[np.float64]
    alone: int
    delays_ms: tuple[float | None, ...]
    """In force at each."""


def measure(directory: Path, timing: When, cable: Impairment, seconds: float) -> Apart:
    with ExitStack() as stack:
        near, far, musician = stack.enter_context(network(3))
        stack.enter_context(impaired(far, cable))
        daemons, wires = [], []
        for host in (near, far):
            wires.append(stack.enter_context(capture(host)))
            stack.enter_context(open_wled(host, directory / host.address, PIXELS, host.address))
            light = {"controllers": [{"host": host.address}], "discover": "off", "timing": timing}
            hub = {} if host is near else {"hub": {"url": f"http://{near.address}:3001", "mode": "off"}}
            daemon = stack.enter_context(open_daemon(host, directory / host.address, ROOM, {"light": light, **hub}))
            daemon.await_ready()
            daemons.append(daemon)
        stack.enter_context(playing(musician, near, ROOM))
        for daemon in daemons:
            daemon.await_status(
                lambda status: any(one["notes"] for one in status["notes"]["sources"]), "the musician is heard"
            )
        time.sleep(SETTLE_S)
        began = time.monotonic()
        time.sleep(seconds)
        here, there = (beginnings(wire.frames(PIXELS, began)) for wire in wires)
        return compare(here, there, [daemon.status()["light"]["delay_ms"] for daemon in daemons])


def beginnings(frames: Sequence[Frame]) -> list[tuple[float, int]]:
    """When each pitch class came that was not shown before."""
    found: list[tuple[float, int]] = []
    before = frozenset[int]()
    for frame in frames:
        shown = pitch_classes(frame.pixels)
        found += [(frame.at, one) for one in shown - before]
        before = shown
    return found


def compare(
    here: Sequence[tuple[float, int]], there: Sequence[tuple[float, int]], delays_ms: Sequence[float | None]
) -> Apart:
    """Each beginning here with the nearest of its pitch class there."""
    pairs = [nearest(one, there) for one in here]
    apart = np.array([one for one in pairs if one is not None])
    backwards = sum(nearest(one, here) is None for one in there)
    return Apart(apart, backwards + sum(one is None for one in pairs), tuple(delays_ms))


def nearest(one: tuple[float, int], others: Sequence[tuple[float, int]]) -> float | None:
    """How much later it is among `others`; None where it is not."""
    apart = [at - one[0] for at, pitch_class in others if pitch_class == one[1] and abs(at - one[0]) < SAME_S]
    return min(apart, key=abs, default=None)


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="jambridge-bench-") as directory:
        yield Path(directory)


def main() -> None:
    if os.geteuid():
        raise SystemExit("this bench makes network namespaces: please run it as root")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    cases: list[tuple[When, str, Impairment]] = [
        ("instant", "30 ms further", FAR),
        ("together", "30 ms further", FAR),
        ("together", "30 ± 10 ms further", SHAKY),
    ]
    rows = []
    for timing, name, cable in cases:
        with scratch() as directory:
            apart = measure(directory, timing, cable, seconds)
        distances_ms = 1000 * np.abs(apart.seconds)
        p50, p95, most = np.quantile(distances_ms, [0.5, 0.95, 1.0])
        rows.append(
            (
                f"{timing}, {name}",
                str(len(distances_ms)),
                f"{p50:.1f} / {p95:.1f} / {most:.1f}",
                f"{1000 * apart.seconds.mean():+.1f}",
                f"{100 * (distances_ms <= 20).mean():.0f} %",
                str(apart.alone),
                " ".join("-" if one is None else f"{one:.0f}" for one in apart.delays_ms),
            )
        )
    columns = ("", "hues", "apart, p50 / p95 / most, ms", "mean", "within 20 ms", "on one strip alone", "delay")
    table(f"Two bridges, {seconds:.0f} s of music each; bar: 20 ms, 100 at worst", columns, rows)


if __name__ == "__main__":
    main()
