"""Two members make a room, meet, change its state and leave, thousands of times: what stays behind in their process.

The hub is a process of its own. `python -m tests.bench.room_cycles [cycles] [warm-up]` prints a table.
"""

import asyncio
import gc
import itertools
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import TypeAdapter

from jambridge.edges import Latest
from jambridge.room import code as room_code
from jambridge.room.client import open_room
from jambridge.room.edges import Address, RoomEdges, open_sharing
from jambridge.room.messages import Participant
from jambridge.units import PeerId

CYCLES = 10_000
MOST_KIB_A_CYCLE = 0.1
_LINES = 10  # of the table


@dataclass(frozen=True, slots=True)
class Reading:
    """Kibibytes are those private to the process."""

    cycles: int
    private_kib: float
    tasks: int
    descriptors: int
    objects: int
    hub_kib: float
    elapsed_s: float


@asynccontextmanager
async def hub_process(directory: Path) -> AsyncIterator[tuple[Address, int]]:
    """Yield where it is, and its pid."""
    options = ("--bind=127.0.0.1", "--port=0", "--tls-port=0", "--no-advertise", "--no-make-way", "--with-parent")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jambridge.hub", *options, f"--state-dir={directory}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        port = json.loads(await process.stdout.readline())["port"]
        yield Address(f"http://127.0.0.1:{port}", "lan"), process.pid
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def member(where: Latest[Address | None], topic: str, name: str, *, first: bool) -> AsyncIterator[RoomEdges]:
    """In the room, and at work there."""
    who = Participant(PeerId(os.urandom(8).hex()), name, is_host=False, joined_at=time.time())
    edges = RoomEdges(who.id)
    async with open_sharing(edges) as sharing, open_room(where, topic, who, edges, must_be_empty=first) as room:
        working = [asyncio.create_task(sharing.run()), asyncio.create_task(room.run())]
        try:
            yield edges
        finally:
            for task in working:
                task.cancel()
            await asyncio.wait(working)


async def cycle(where: Latest[Address | None]) -> None:
    topic = f"room:{room_code.generate()}"
    async with member(where, topic, "Ada", first=True) as ada, member(where, topic, "Bob", first=False) as bob:
        for edges in (ada, bob):
            while len(members := edges.members.value) < 2:
                await edges.members.changed(members)
        ada.change("tempo", 90.0)
        while (state := bob.state.value).tempo != 90.0:
            await bob.state.changed(state)


async def measure(cycles: int, warm_up: int, directory: Path) -> list[Reading]:
    """Readings at the end of the warm-up and at equal distances after it."""
    fill_string_cache()
    readings: list[Reading] = []
    started_s = time.monotonic()
    step = max(1, (cycles - warm_up) // _LINES)
    async with asyncio.timeout(3600), hub_process(directory) as (address, hub):
        where: Latest[Address | None] = Latest(address)
        for done in range(1, cycles + 1):
            await cycle(where)
            if done >= warm_up and (done - warm_up) % step == 0:
                readings.append(_read(done, hub, time.monotonic() - started_s))
    return readings


def fill_string_cache() -> None:
    """Pydantic keeps the last 16,384 short strings it parsed, a megabyte: full at once, not slowly while we measure."""
    strings = [os.urandom(8).hex() for _ in range(100_000)]
    TypeAdapter(list[str]).validate_json(json.dumps(strings))


def growth_kib(readings: list[Reading]) -> float:
    """Private memory a cycle after the warm-up: the median of the slopes of all pairs, since single readings jump."""
    return statistics.median(
        (later.private_kib - earlier.private_kib) / (later.cycles - earlier.cycles)
        for earlier, later in itertools.combinations(readings, 2)
    )


def is_flat(readings: list[Reading]) -> bool:
    return len({(one.tasks, one.descriptors) for one in readings}) == 1


def _read(cycles: int, hub: int, elapsed_s: float) -> Reading:
    gc.collect()
    own = psutil.Process()
    return Reading(
        cycles,
        own.memory_full_info().uss / 1024,
        len(asyncio.all_tasks()),
        own.num_fds(),
        len(gc.get_objects()),
        psutil.Process(hub).memory_full_info().uss / 1024,
        elapsed_s,
    )


def main() -> int:
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else CYCLES
    warm_up = int(sys.argv[2]) if len(sys.argv) > 2 else cycles // 5
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as directory:
        readings = asyncio.run(measure(cycles, warm_up, Path(directory)))
    print("| cycles | private KiB | tasks | descriptors | objects | hub, private KiB | seconds |")
    print("|---|---|---|---|---|---|---|")
    for one in readings:
        print(
            f"| {one.cycles} | {one.private_kib:.0f} | {one.tasks} | {one.descriptors} | {one.objects} "
            f"| {one.hub_kib:.0f} | {one.elapsed_s:.0f} |"
        )
    print(f"growth {growth_kib(readings):.4f} KiB a cycle (bar {MOST_KIB_A_CYCLE})")
    print(f"tasks and descriptors {'exactly flat' if is_flat(readings) else 'NOT flat'}")
    return 0 if is_flat(readings) and growth_kib(readings) <= MOST_KIB_A_CYCLE else 1


if __name__ == "__main__":
    sys.exit(main())
