"""What the hub takes to relay for many rooms, and how long it keeps a broadcast: `hub_load [seconds]`."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psutil

from tests.bench.stage import table

ROOMS, MEMBERS, RATE = 50, 4, 10.0
SECONDS = 60.0
PROCESSES = 1
MOST_P99_MS, MOST_CORES = 50.0, 0.5
_WARM_S = 5.0


@contextmanager
def _hub() -> Iterator[tuple[psutil.Process, int]]:
    """The hub's process and port, with limits only as high as one address with all members needs."""
    everybody = str(ROOMS * MEMBERS + 16)
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "jambridge.hub", "--bind=127.0.0.1", "--port=0", "--tls-port=0"]
        command += ["--no-advertise", f"--state-dir={directory}", "--with-parent"]
        command += [f"--max-connections={everybody}", f"--max-per-address={everybody}"]
        hub = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert hub.stdout is not None
            yield psutil.Process(hub.pid), json.loads(hub.stdout.readline())["port"]
        finally:
            hub.terminate()
            hub.wait()


def _load(port: int, first: int, rooms: int, seconds: float) -> subprocess.Popen[str]:
    options = {"port": port, "first": first, "rooms": rooms, "members": MEMBERS, "rate": RATE, "seconds": seconds}
    command = [sys.executable, "-m", "tests.bench.hub_members", json.dumps(options)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _answer(load: subprocess.Popen[str]) -> dict[str, Any]:
    assert load.stdout is not None
    answer: dict[str, Any] = json.loads(load.stdout.readline())
    return answer


def _play(loads: list[subprocess.Popen[str]]) -> None:
    for load in loads:
        assert load.stdin is not None
        load.stdin.write("play\n")
        load.stdin.flush()


def _memory_mb(process: psutil.Process) -> float:
    return float(process.memory_full_info().uss) / 1e6


def measure(seconds: float, processes: int) -> list[tuple[str, str, str]]:
    with _hub() as (hub, port):
        share = ROOMS // processes
        loads = [_load(port, number * share, share, _WARM_S + seconds) for number in range(processes)]
        for load in loads:
            _answer(load)
        _play(loads)
        time.sleep(_WARM_S)
        began_s, began, began_mb = time.monotonic(), hub.cpu_times(), _memory_mb(hub)
        time.sleep(seconds - 1)
        ended, elapsed_s, ended_mb = hub.cpu_times(), time.monotonic() - began_s, _memory_mb(hub)
        answers = [_answer(load) for load in loads]
        for load in loads:
            load.wait()
    cores = (ended.user - began.user + ended.system - began.system) / elapsed_s
    latencies_ms = np.concatenate([answer["latencies_ms"] for answer in answers])
    due, heard = (sum(answer[name] for answer in answers) for name in ("due", "heard"))
    p50, p99 = np.quantile(latencies_ms, [0.5, 0.99])
    return [
        ("broadcasts sent", str(sum(answer["sent"] for answer in answers)), ""),
        ("delivered / lost", f"{heard} / {due - heard}", "none lost"),
        ("sockets that ended", str(sum(len(answer["ended"]) for answer in answers)), "0"),
        ("latency p50, ms", f"{p50:.2f}", ""),
        ("latency p99, ms", f"{p99:.2f}", f"{MOST_P99_MS:.0f}"),
        ("latency max, ms", f"{latencies_ms.max():.2f}", ""),
        ("hub's processor, cores", f"{cores:.3f}", f"{MOST_CORES}"),
        ("hub's memory (USS) at the start / end, MB", f"{began_mb:.1f} / {ended_mb:.1f}", "flat"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=SECONDS)
    parser.add_argument("--processes", type=int, default=PROCESSES, help="of the load")
    options = parser.parse_args()
    rows = measure(options.seconds, options.processes)
    title = f"{ROOMS} rooms of {MEMBERS}, {RATE:.0f} broadcasts a second a room, {options.seconds:.0f} s"
    table(title, ("", "measured", "bar"), rows)


if __name__ == "__main__":
    main()
