"""What the daemon takes with three peers playing and 300 LEDs: memory and processor, process by process.

The kernel's PSS divides a page among all who map it, and the musicians of this bench map the same libraries; so beside
it stands what the daemon would take alone: private pages, and those shared once for each mapping.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.stage import open_stage, table

SECONDS = 40.0
SETTLE_S = 5.0
MOST_MB = 250
MOST_CORES = 0.35


@dataclass(frozen=True, slots=True)
class Usage:
    """Megabytes are 10⁶ bytes, as in the bar; `shared_mb` by mapping."""

    name: str
    pss_mb: float
    private_mb: float
    shared_mb: dict[str, float]
    cpu_s: float


def measure(root: psutil.Process) -> dict[int, Usage]:
    """Every process of the daemon."""
    return {process.pid: _usage(process) for process in (root, *root.children(recursive=True))}


def alone_mb(usages: list[Usage]) -> float:
    mappings = {mapping for usage in usages for mapping in usage.shared_mb}
    shared = sum(max(usage.shared_mb.get(mapping, 0.0) for usage in usages) for mapping in mappings)
    return sum(usage.private_mb for usage in usages) + shared


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with open_stage("music") as stage:
        time.sleep(SETTLE_S)
        root = psutil.Process(stage.daemon.process.pid)
        detecting = stage.daemon.status()["light"]["process"]["detector_s"]
        began, before = time.monotonic(), measure(root)
        time.sleep(seconds)
        after, elapsed_s = measure(root), time.monotonic() - began
        status = stage.daemon.status()
        heard, detecting = len(status["audio"]["peers"]), status["light"]["process"]["detector_s"] - detecting
    shares = {pid: (one.cpu_s - before[pid].cpu_s) / elapsed_s for pid, one in after.items() if pid in before}
    rows = [(one.name, f"{one.pss_mb:.1f}", "", f"{shares.get(pid, 0.0):.3f}") for pid, one in after.items()]
    pss_mb, cores = sum(one.pss_mb for one in after.values()), sum(shares.values())
    rows.append(("all", f"{pss_mb:.1f}", f"{alone_mb(list(after.values())):.1f}", f"{cores:.3f}"))
    rows.append(("of it, the detectors", "", "", f"{detecting / elapsed_s:.3f}"))
    rows.append(("bar", str(MOST_MB), "", str(MOST_CORES)))
    title = f"The daemon with {heard} peers and 300 LEDs over {elapsed_s:.0f} s"
    table(title, ("process", "PSS, MB", "alone, MB", "processor, cores"), rows)


def _usage(process: psutil.Process) -> Usage:
    times = process.cpu_times()
    private_mb, pss_mb, shared_mb = 0.0, 0.0, dict[str, float]()
    for mapping, sizes in _smaps(process.pid):
        pss_mb += sizes["Pss"]
        private_mb += sizes["Private_Clean"] + sizes["Private_Dirty"]
        shared_mb[mapping] = shared_mb.get(mapping, 0.0) + sizes["Shared_Clean"] + sizes["Shared_Dirty"]
    return Usage(_name(process), pss_mb, private_mb, shared_mb, times.user + times.system)


def _smaps(pid: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Each mapping of a process: inode and offset, and its sizes in megabytes (man 5 proc_pid_smaps)."""
    mapping, sizes = "", dict[str, float]()
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            if sizes:
                yield mapping, sizes
            mapping, sizes = f"{words[4]}+{words[2]}", {}
        elif words[-1] == "kB":
            sizes[words[0][:-1]] = int(words[1]) * 1024 / 1e6
    if sizes:
        yield mapping, sizes


def _name(process: psutil.Process) -> str:
    module = next((word for word in process.cmdline() if word.startswith("jambridge.")), "")
    return {"jambridge.light.engine": "light", "jambridge.hub": "hub"}.get(module, "main")


if __name__ == "__main__":
    main()
