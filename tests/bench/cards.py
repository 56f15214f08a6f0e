"""What the processes of the sound cards cost on a JACK dummy at 128 frames: processor, memory and start-up: a table.

What is played goes back into the line-in, so that there is music to encode.

python -m tests.bench.cards [seconds]
"""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from tests.bench.stage import table
from tests.fakes.jack import Jack, jack
from tests.fakes.lines import LineIn, LineOut, Samples, line_in, line_out
from tests.scenarios.music import load

PIECES = ("bach_guitar", "chord_piano", "mono_violin")
SETTLE_S = 3.0
COLUMNS = ("128 frames", "core, median", "least of 1 s", "PSS, MB", "private, MB", "threads", "missed", "open after, s")


def measure(server: Jack, musicians: int, seconds: float) -> list[tuple[str, ...]]:
    with ExitStack() as stack:
        began = time.monotonic()
        out = stack.enter_context(line_out("system", server.environment))
        out_s = out.until_open() and time.monotonic() - began
        began = time.monotonic()
        into = stack.enter_context(line_in("system", server.environment))
        in_s = into.until_open() and time.monotonic() - began
        for channel in range(2):
            server.connect(f"jambridge-out:out_{channel}", f"jambridge-in:in_{channel}")
        for name in PIECES[:musicians]:
            stack.enter_context(out.musician(name, _stereo(load(name) / 2)))
        time.sleep(SETTLE_S)
        lines: dict[str, LineIn | LineOut] = {"capture": into, f"playback of {musicians}": out}
        missed = [line.report.card.missed for line in lines.values()]
        spent = np.array([[_cpu_s(line) for line in lines.values()] for _ in _seconds(seconds)])
        cores = np.diff(spent, axis=0).T
        return [
            _row(name, line, core, line.report.card.missed - before, opened)
            for (name, line), core, before, opened in zip(lines.items(), cores, missed, (in_s, out_s), strict=True)
        ]


def _row(
    name: str, line: LineIn | LineOut, cores: NDArray[np.float64], missed: int, opened_s: float
) -> tuple[str, ...]:
    process = psutil.Process(line.pid)
    memory = process.memory_full_info()
    return (
        name,
        f"{np.median(cores):.4f}",
        f"{cores.min():.4f}",
        f"{memory.pss / 1e6:.1f}",
        f"{memory.uss / 1e6:.1f}",
        str(process.num_threads()),
        str(missed),
        f"{opened_s:.2f}",
    )


def _seconds(seconds: float) -> Iterator[None]:
    """Now, and after each second."""
    due = time.monotonic()
    for _ in range(int(seconds) + 1):
        time.sleep(max(0.0, due - time.monotonic()))
        yield
        due += 1


def _cpu_s(line: LineIn | LineOut) -> float:
    """The scheduler's own nanoseconds, of every thread."""
    tasks = Path(f"/proc/{line.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _stereo(sound: NDArray[np.floating]) -> Samples:
    return np.stack([sound, sound], axis=1).astype(np.float32)


def main(seconds: float = 20.0) -> None:
    rows = []
    for musicians in (1, 3):
        with jack() as server:
            rows += measure(server, musicians, seconds)
    table("The processes of the sound cards", COLUMNS, rows)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
