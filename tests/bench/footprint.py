"""What the daemon takes with three peers playing and 300 LEDs: memory (PSS) and processor, process by process."""

import sys
import time
from dataclasses import dataclass

import psutil

from tests.bench.stage import open_stage, table

SECONDS = 40.0
SETTLE_S = 5.0
MOST_MB = 250
MOST_CORES = 0.35


@dataclass(frozen=True, slots=True)
class Usage:
    """Megabytes are 10⁶ bytes, as in the bar."""

    name: str
    pss_mb: float
    cpu_s: float


def measure(root: psutil.Process) -> dict[int, Usage]:
    """Every process of the daemon: smaps_rollup's Pss, user and system time."""
    return {process.pid: _usage(process) for process in (root, *root.children(recursive=True))}


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with open_stage(["music"]) as stage:
        time.sleep(SETTLE_S)
        root = psutil.Process(stage.daemon.process.pid)
        began, before = time.monotonic(), measure(root)
        time.sleep(seconds)
        after, elapsed_s = measure(root), time.monotonic() - began
        heard = len(stage.daemon.status()["audio"]["peers"])
    shares = {pid: (one.cpu_s - before[pid].cpu_s) / elapsed_s for pid, one in after.items() if pid in before}
    rows = [(one.name, f"{one.pss_mb:.1f}", f"{shares.get(pid, 0.0):.3f}") for pid, one in after.items()]
    rows.append(("all", f"{sum(one.pss_mb for one in after.values()):.1f}", f"{sum(shares.values()):.3f}"))
    rows.append(("bar", f"{MOST_MB}", f"{MOST_CORES}"))
    table(f"The daemon with {heard} peers and 300 LEDs over {elapsed_s:.0f} s", ("process", "PSS MB", "cores"), rows)


def _usage(process: psutil.Process) -> Usage:
    times = process.cpu_times()
    return Usage(_name(process), process.memory_full_info().pss / 1e6, times.user + times.system)


def _name(process: psutil.Process) -> str:
    module = next((word for word in process.cmdline() if word.startswith("jambridge.")), "")
    return {"jambridge.light.engine": "light", "jambridge.hub": "hub"}.get(module, "main")


if __name__ == "__main__":
    main()
