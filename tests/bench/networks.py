"""A musician behind a bad network, or with a card whose clock is off, as a box plays it: `scripts/bench networks`.

`[seconds] [loss5 | bursts20 | jitter | reordering | all | fast | slow]`. The depth is read from the status twice a
second, the growth is its slope.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.stage import table
from tests.fakes.impaired import Impairment
from tests.fakes.jack import jack
from tests.scenarios.daemon import Daemon, open_daemon
from tests.scenarios.impaired import impaired
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import network

SECONDS = 120.0
SETTLE_S = 20.0
LOOK_S = 0.5
ROOM = "BENCH1"
NETWORKS = {
    "loss5": Impairment(loss=0.05),
    "bursts20": Impairment(loss=0.2, burst=4),
    "jitter": Impairment(delay_ms=30, jitter_ms=20, in_order=True),
    "reordering": Impairment(delay_ms=30, jitter_ms=20),
    "all": Impairment(loss=0.05, delay_ms=30, jitter_ms=20),
}
CLOCKS = {"fast": "fast", "slow": "slow"}
"""Acts of the musician: its card is 100 ppm off."""
COLUMNS = ("", "connected, s", "depth p50", "most, ms", "growth, ms/min", "made up", "late", "lost", "splices", "ppm")


def measure(name: str, seconds: float) -> tuple[str, ...]:
    with (
        tempfile.TemporaryDirectory(prefix="jambridge-bench-") as place,
        jack() as server,
        network(2) as (box, far),
        open_daemon(
            box, Path(place), ROOM, {"audio": {"input": "none", "output": "system"}}, env=server.environment
        ) as daemon,
    ):
        daemon.await_ready()
        daemon.await_status(lambda status: status["audio"]["output"]["card"], "the card is open")
        daemon.await_status(lambda status: status["room"]["connection"] == "connected", "the room is joined")
        with impaired(far, NETWORKS.get(name, Impairment())), _joined(far, box, CLOCKS.get(name, "music")) as began:
            daemon.await_status(lambda status: _playing(status) is not None, "the musician is heard")
            connected_s = time.monotonic() - began
            time.sleep(SETTLE_S)
            return (name, f"{connected_s:.1f}", *_watched(daemon, seconds))


@contextmanager
def _joined(far: Any, box: Any, act: str) -> Iterator[float]:
    """The moment at which it says that it has a seat in the room."""
    with playing(far, box, ROOM, 0, act) as musician:
        yield _seated(musician)


def _seated(musician: "subprocess.Popen[str]") -> float:
    assert musician.stdout is not None
    assert musician.stdout.readline().startswith("{"), "the musician has no seat"
    return time.monotonic()


def _watched(daemon: Daemon, seconds: float) -> tuple[str, ...]:
    moments, depths = [], []
    first = _playing(daemon.status())
    assert first is not None
    began = time.monotonic()
    while (now := time.monotonic()) - began < seconds:
        last = _playing(daemon.status()) or first
        moments.append(now)
        depths.append(last["depth_ms"])
        time.sleep(LOOK_S)
    made_up = (last["concealed_ms"] - first["concealed_ms"]) / seconds / 10
    growth = 60 * np.polyfit(moments, depths, 1)[0]
    counts = [str(last[name] - first[name]) for name in ("late", "lost", "splices")]
    return (
        f"{np.median(depths):.1f}", f"{max(depths):.1f}", f"{growth:+.2f}", f"{made_up:.2f} %", *counts,
        f"{last['rate_ppm']:+.0f}",
    )  # fmt: skip


def _playing(status: dict[str, Any]) -> dict[str, Any] | None:
    found = [peer["playout"] for peer in status["audio"]["peers"] if peer["packets"] and peer["playout"]]
    return found[0] if found else None


def main(seconds: str = "", *names: str) -> None:
    rows = [measure(name, float(seconds or SECONDS)) for name in names or (*NETWORKS, *CLOCKS)]
    table(f"a musician as a box plays it, {seconds or f'{SECONDS:.0f}'} s", COLUMNS, rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
