"""How far the room clocks of bridges are apart, whose monotonic clocks were set apart by known amounts.

Every daemon is on a host of its own and in a time namespace of its own (man 7 time_namespaces), so that its clock
really is another; one of them shares its machine with busy loops, while musicians play. Half-way the host's daemon is
stopped. What a status says of room time, less the true time at which it says so, is the same for all.
"""

import contextlib
import ctypes
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.bench.stage import table
from tests.scenarios.daemon import Daemon, open_daemon
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import Host, network

ROOM = "CLOCK1"
SECONDS = 600.0
BRIDGES = 3
APART_S = 10_000  # between one daemon's clock and the next one's
MUSICIANS = 2
BUSY_LOOPS = 2
LOOK_S = 0.1
MOST_MS = 2.0
_CLONE_NEWTIME = 0x80  # linux/sched.h
MERGED_S = 90.0  # two that opened a hub each, since mDNS answers were lost, are one room within a minute


@dataclass(frozen=True, slots=True)
class Elsewhen(Host):
    """A host whose programs see a monotonic clock that is `ahead_s` ahead of ours."""

    ahead_s: int = 0

    def command(self, argv: Sequence[str]) -> list[str]:
        return Host.command(self, [sys.executable, "-m", "tests.bench.clock", "--ahead", str(self.ahead_s), *argv])


@dataclass
class Readings:
    """One daemon's room time less true time, milliseconds, at moments of true time."""

    moments: list[float] = field(default_factory=list)
    rooms_ms: list[float] = field(default_factory=list)

    def at(self, moments: Sequence[float]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        return np.interp(moments, self.moments, self.rooms_ms)

    @property
    def largest_step_ms(self) -> float:
        return float(np.abs(np.diff(self.rooms_ms)).max(initial=0.0))


@dataclass(frozen=True, slots=True)
class Result:
    errors_ms: list[float]
    readings: list[Readings]
    hosts: list[str | None]
    steps: list[int]

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.errors_ms, share))

    @property
    def largest_step_ms(self) -> float:
        """Between two readings of one daemon."""
        return max(readings.largest_step_ms for readings in self.readings)


def measure(directory: Path, seconds: float, bridges: int = BRIDGES, musicians: int = MUSICIANS) -> Result:
    """Run the daemons for `seconds`, and stop the host of three or more half-way."""
    with ExitStack() as stack:
        hosts = stack.enter_context(network(bridges + musicians))
        daemons = []
        for number, host in enumerate(hosts[:bridges]):
            there = Elsewhen(host.name, host.address, number * APART_S)
            daemon = stack.enter_context(open_daemon(there, directory / str(number), ROOM))
            daemon.await_ready()
            daemon.await_status(lambda status: status["room"]["connection"] == "connected", "the room is joined")
            daemons.append(daemon)
        for number, host in enumerate(hosts[bridges:]):
            stack.enter_context(playing(host, hosts[0], ROOM, number))
        for daemon in daemons[1:]:
            daemon.await_status(lambda status: status["clock"]["samples"] > 10, "the clock is set", MERGED_S)
        stack.enter_context(busy(BUSY_LOOPS))
        return _watch(daemons, seconds)


def _watch(daemons: list[Daemon], seconds: float) -> Result:
    readings = [Readings() for _ in daemons]
    hosts: list[str | None] = []
    steps = [0] * len(daemons)
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        for number, daemon in enumerate(daemons):
            if daemon.process.poll() is None:
                clock = daemon.status()["clock"]
                readings[number].moments.append(clock["monotonic_ms"] / 1000 - number * APART_S)
                readings[number].rooms_ms.append(clock["room_ms"] - clock["monotonic_ms"] + number * APART_S * 1000)
                steps[number] = clock["steps"]
                if clock["host_id"] not in hosts[-1:]:
                    hosts.append(clock["host_id"])
        if len(daemons) > 2 and elapsed > seconds / 2 and daemons[0].process.poll() is None:
            daemons[0].terminate()
        time.sleep(LOOK_S)
    return Result(_errors_ms(readings), readings, hosts, steps)


def _errors_ms(readings: list[Readings]) -> list[float]:
    """Each pair apart, at the moments at which the second was read, while both were there."""
    errors: list[float] = []
    for number, one in enumerate(readings):
        for other in readings[number + 1 :]:
            moments = [moment for moment in other.moments if one.moments[0] <= moment <= one.moments[-1]]
            at = dict(zip(other.moments, other.rooms_ms, strict=True))
            errors += list(np.abs(one.at(moments) - [at[moment] for moment in moments]))
    return errors


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Load on every core: a tenth of a second of work, a twentieth of rest."""
    children = []
    for _ in range(loops):
        pid = os.fork()
        if not pid:
            _work()
        children.append(pid)
    try:
        yield
    finally:
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
            os.waitpid(pid, 0)


def _work() -> None:
    while True:
        until_s = time.monotonic() + 0.1
        while time.monotonic() < until_s:
            pass
        threading.Event().wait(0.05)


def enter(ahead_s: int, argv: Sequence[str]) -> None:
    """Become `argv` in a time namespace whose monotonic clock is `ahead_s` ahead."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWTIME):
        raise OSError(ctypes.get_errno(), "no time namespace can be made")
    Path("/proc/self/timens_offsets").write_text(f"monotonic {ahead_s} 0\n")
    os.execvp(argv[0], list(argv))  # it enters what was unshared


def main() -> None:
    if os.geteuid():
        raise SystemExit("this bench makes network and time namespaces: please run it as root")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with tempfile.TemporaryDirectory(prefix="jambridge-bench-") as directory:
        result = measure(Path(directory), seconds)
    rows = [
        (f"apart, p{share}" if share < 100 else "apart, most", f"{result.percentile(share):.3f}", str(MOST_MS))
        for share in (50, 90, 99, 100)
    ]
    rows.append((f"largest change in {LOOK_S * 1000:.0f} ms or so", f"{result.largest_step_ms:.3f}", ""))
    rows.append(("hosts, one after another", str(len(result.hosts)), ""))
    rows.append(("times a clock was set", " ".join(map(str, result.steps)), "at most 1 each"))
    title = f"Room clocks of {len(result.readings)} bridges, {len(result.errors_ms)} comparisons in {seconds:.0f} s"
    table(title, ("what", "ms", "bar"), rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ahead"]:
        enter(int(sys.argv[2]), sys.argv[3:])
    main()
