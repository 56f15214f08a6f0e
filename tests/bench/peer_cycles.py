"""Peers come and go on one box that plays and hears, hundreds of times: what stays behind in its processes.

The box is a mesh with both sound cards' processes, wired as the daemon wires them, on a JACK server of its own. Each
guest is a mesh in the same process, so what a guest leaves behind counts as well. `python -m tests.bench.peer_cycles
[cycles] [warm-up]` prints a table.
"""

import asyncio
import gc
import itertools
import logging
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import psutil

from jambridge import sound
from jambridge.audio.feed import Feeds
from jambridge.config import AudioConfig
from jambridge.peers.mesh import Mesh, open_mesh
from jambridge.peers.peer import Surroundings
from jambridge.room.messages import Participant
from jambridge.services import Running, Services
from jambridge.sound import Sound
from jambridge.units import PeerId
from tests.bench.stage import table
from tests.fakes.jack import jack
from tests.fakes.switch import Switch, member
from tests.fakes.waiting import until

CYCLES = 400
WARM_UP = 200
MOST_KIB_A_CYCLE = 5.0
GUEST_HZ = 440.0
LOUD_DBFS = -30.0
SLOTS = 5
SETTLED_S = 5.0  # what closes late has closed
_HEARD_PACKETS = 20
_LINES = 10  # of the table
_BOX = PeerId("box")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process; kibibytes are those private to it."""

    private_kib: float
    threads: int
    descriptors: int

    @property
    def counts(self) -> tuple[int, int]:
        return self.threads, self.descriptors


@dataclass(frozen=True, slots=True)
class Reading:
    cycles: int
    main: Usage
    playback: Usage
    capture: Usage
    tasks: int
    channels: int
    """In the playback process's report."""
    elapsed_s: float

    @property
    def counts(self) -> tuple[object, ...]:
        """What must be the same each time."""
        return (self.main.counts, self.playback.counts, self.capture.counts, self.tasks, self.channels)


@dataclass(frozen=True, slots=True)
class Box:
    sound: Sound
    mesh: Running[Mesh]
    processes: tuple[psutil.Process, ...]
    """Main, playback, capture."""

    def plays(self, peer: PeerId) -> bool:
        played = self.sound.desk.playing(peer, self.sound.played.value)
        return played is not None and played.level_dbfs > LOUD_DBFS

    @property
    def is_at_rest(self) -> bool:
        played = self.sound.played.value
        return not (self.mesh.present and self.mesh.present.peers()) and not played.channels


@asynccontextmanager
async def open_box(switch: Switch) -> AsyncIterator[Box]:
    """A box in the room of `switch`, once both of its cards are open."""
    section, feeds, services = AudioConfig(), Feeds(SLOTS), Services()
    edges = sound.edges(section, section.master_volume, is_musician=True)
    members, signals = switch.join(Participant(_BOX, "Box", is_host=False, joined_at=0, sends=True))
    around = Surroundings(
        _BOX, switch.send, feeds.open, open_channel=edges.desk.open, outgoing=edges.outgoing, allow_loopback=True
    )
    line_out = sound.start(services, edges, section, feeds, partial(feeds.open, _BOX, "Box", is_line_in=True))
    mesh = services.start("mesh", partial(open_mesh, around, members, signals, 3))
    try:
        await until(lambda: bool(edges.played.value.card.card and edges.captured.value.card.card))
        assert line_out is not None
        assert line_out.present is not None
        yield Box(edges, mesh, _processes(line_out.present.pid))
    finally:
        await services.stop("mesh")
        edges.close()


async def cycle(switch: Switch, box: Box, number: int) -> None:
    """A guest comes, hears and is heard at the loudspeaker, and goes."""
    name = f"guest {number}"
    async with member(switch, name, GUEST_HZ) as guest:
        await until(lambda: box.plays(guest.id))
        await until(lambda: any(peer.packets > _HEARD_PACKETS for peer in guest.mesh.peers()))
    switch.forget(PeerId(name))
    await until(lambda: box.is_at_rest)


async def measure(cycles: int, warm_up: int) -> list[Reading]:
    """Readings at the end of the warm-up and at equal distances after it."""
    readings: list[Reading] = []
    switch, started_s = Switch(), time.monotonic()
    step = max(1, (cycles - warm_up) // _LINES)
    async with open_box(switch) as box:
        for done in range(1, cycles + 1):
            await cycle(switch, box, done)
            if done >= warm_up and (done - warm_up) % step == 0:
                readings.append(await _settled(box, done, started_s, readings))
    return readings


def growth_kib(readings: list[Reading], usage: Callable[[Reading], Usage]) -> float:
    """Private memory a cycle after the warm-up: the median of the slopes of all pairs, since single readings jump."""
    return statistics.median(
        (usage(later).private_kib - usage(earlier).private_kib) / (later.cycles - earlier.cycles)
        for earlier, later in itertools.combinations(readings, 2)
    )


def is_flat(readings: list[Reading]) -> bool:
    return len({one.counts for one in readings}) == 1


async def _settled(box: Box, done: int, started_s: float, before: list[Reading]) -> Reading:
    """A reading, once it counts what the ones before it did, or when that has taken too long to be true."""
    reading = _read(box, done, started_s)
    deadline_s = time.monotonic() + SETTLED_S
    while not is_flat([*before[:1], reading]) and time.monotonic() < deadline_s:
        await asyncio.sleep(0.1)
        reading = _read(box, done, started_s)
    return reading


def _read(box: Box, done: int, started_s: float) -> Reading:
    gc.collect()
    main, playback, capture = map(_usage, box.processes)
    channels = len(box.sound.played.value.channels)
    return Reading(done, main, playback, capture, len(asyncio.all_tasks()), channels, time.monotonic() - started_s)


def _usage(process: psutil.Process) -> Usage:
    return Usage(process.memory_full_info().uss / 1024, process.num_threads(), process.num_fds())


def _processes(playback: int) -> tuple[psutil.Process, ...]:
    own = psutil.Process()
    capture = next(child for child in own.children(recursive=True) if "jambridge.audio.card.capture" in child.cmdline())
    return own, psutil.Process(playback), capture


def main() -> int:
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else CYCLES
    warm_up = int(sys.argv[2]) if len(sys.argv) > 2 else min(WARM_UP, cycles // 2)
    logging.disable(logging.WARNING)
    with jack() as server:
        os.environ.update(server.environment)
        readings = asyncio.run(measure(cycles, warm_up))
    columns = ("cycles", "main, KiB", "playback, KiB", "capture, KiB", "tasks", "threads", "descriptors", "s")
    table(f"{cycles} peers came and went", columns, [_row(one) for one in readings])
    growths = {
        "main": growth_kib(readings, lambda one: one.main),
        "playback": growth_kib(readings, lambda one: one.playback),
        "capture": growth_kib(readings, lambda one: one.capture),
    }
    for name, growth in growths.items():
        print(f"{name}: {growth:+.2f} KiB a cycle (bar {MOST_KIB_A_CYCLE})")
    print(f"tasks, threads, descriptors and channels {'exactly flat' if is_flat(readings) else 'NOT flat'}")
    return 0 if is_flat(readings) and max(growths.values()) <= MOST_KIB_A_CYCLE else 1


def _row(one: Reading) -> tuple[str, ...]:
    parts = (one.main, one.playback, one.capture)
    return (
        str(one.cycles),
        *(f"{part.private_kib:.0f}" for part in parts),
        str(one.tasks),
        " ".join(str(part.threads) for part in parts),
        " ".join(str(part.descriptors) for part in parts),
        f"{one.elapsed_s:.0f}",
    )


if __name__ == "__main__":
    sys.exit(main())
