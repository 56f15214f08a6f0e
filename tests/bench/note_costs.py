"""What the detectors take, measured in a process of their own as the light process is: one thread, no collections.

python -m tests.bench.note_costs cpu STREAMS SECONDS < SOUND    float32, 48 kHz, one channel
python -m tests.bench.note_costs memory
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.source import Source
from jambridge.notes.frame import FRAME_RATE_HZ, HOP_FRAMES
from jambridge.units import PeerId

WARM_UP = 60  # frames
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # as jambridge/child.py has it


@dataclass(frozen=True, slots=True)
class Cpu:
    """Thread CPU time of a frame of 1/60 s, all streams and both detectors, in milliseconds."""

    streams: int
    frames: int
    median_ms: float
    p95_ms: float
    most_ms: float
    over_8_ms: int


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB of a process that has imported the light engine, and that has heard a second of four streams."""

    imported_rss: float
    imported_pss: float
    rss: float
    pss: float
    modules: list[str]
    """Heavy ones that nothing should have loaded."""


def cpu(streams: int, seconds: float, sound: NDArray[np.float32]) -> Cpu:
    """Hears `sound` over and over for `seconds` of its own time."""
    return Cpu(**_measured(["cpu", str(streams), str(seconds)], sound.astype(np.float32).tobytes()))


def memory() -> Memory:
    return Memory(**_measured(["memory"], b""))


def _measured(arguments: list[str], given: bytes) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.note_costs", *arguments]
    done = subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True, env=os.environ | _ONE_THREAD)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _cpu(streams: int, seconds: float) -> Cpu:
    from jambridge import realtime
    from jambridge.notes.detector import Detector
    from jambridge.notes.onset import ONSET_BLOCK, OnsetDetector

    sound = np.frombuffer(sys.stdin.buffer.read(), np.float32)
    hops = sound[: len(sound) // HOP_FRAMES * HOP_FRAMES].reshape(-1, HOP_FRAMES)
    apart = len(hops) // streams
    detector, onsets = Detector(streams), [OnsetDetector() for _ in range(streams)]
    realtime.stop_collecting()
    times_s = []
    for index in range(WARM_UP + round(seconds * FRAME_RATE_HZ)):
        heard = np.stack([hops[(index + stream * apart) % len(hops)] for stream in range(streams)])
        before = time.thread_time()
        for attacks, hop in zip(onsets, heard, strict=True):
            attacks.process(hop.reshape(-1, ONSET_BLOCK))
        detector.process(heard)
        times_s.append(time.thread_time() - before)
    times_ms = np.array(times_s[WARM_UP:]) * 1000
    median_ms, p95_ms = np.percentile(times_ms, [50, 95]).tolist()
    return Cpu(streams, len(times_ms), median_ms, p95_ms, float(times_ms.max()), int((times_ms > 8).sum()))


def _memory() -> Memory:
    from jambridge.light import engine

    imported = _resident()
    hearings = [engine.listen(Source(slot, 0, PeerId(""), "")) for slot in range(4)]
    rng = np.random.default_rng(1)
    for hearing in hearings:
        for _ in range(FRAME_RATE_HZ):
            hearing._detector.process(rng.normal(0, 0.1, (1, HOP_FRAMES)).astype(np.float32))
    rss, pss = _resident()
    heavy = sorted({"scipy", "av", "aiohttp", "pydantic"} & {name.partition(".")[0] for name in sys.modules})
    return Memory(*imported, rss, pss, heavy)


def _resident() -> tuple[float, float]:
    """Rss and Pss in MiB (man 5 proc_pid_smaps)."""
    lines = dict(line.split(":") for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    rss, pss = (int(lines[key].split()[0]) / 1024 for key in ("Rss", "Pss"))
    return rss, pss


if __name__ == "__main__":
    measured = _memory() if sys.argv[1] == "memory" else _cpu(int(sys.argv[2]), float(sys.argv[3]))
    print(json.dumps(asdict(measured)))
