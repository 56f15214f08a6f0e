"""How fast a room is: created with its database black-holed, members seen coming and going, changes in effect.

Four members with a client of ours each, in this process; the hub is a process of its own on loopback.
"""

import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from jambridge.edges import Latest
from jambridge.room.client import open_room
from jambridge.room.edges import HUB, Address, RoomEdges, open_sharing
from jambridge.room.messages import Participant
from jambridge.room.state import RoomState
from jambridge.store.merging import Setup
from jambridge.store.remote import Endpoint
from jambridge.store.service import Inputs, Rules, open_store
from jambridge.supervise import Service
from jambridge.units import PeerId
from tests.bench.stage import table

TOPIC = "room:BENCH2"
ROUNDS = 200
PATIENCE_S = 10.0

T = TypeVar("T")


class Member:
    def __init__(self, hub: str) -> None:
        self.me = Participant(PeerId(secrets.token_hex(8)), "bench", is_host=False, joined_at=time.time())
        self.edges = RoomEdges(self.me.id)
        self._where: Latest[Address | None] = Latest(Address(hub, "lan"))

    @asynccontextmanager
    async def present(self, topic: str = TOPIC) -> AsyncIterator[RoomEdges]:
        async with (
            open_sharing(self.edges) as clock,
            open_room(self._where, topic, self.me, self.edges, seat_name=HUB) as room,
        ):
            working = [asyncio.create_task(_run(service)) for service in (clock, room)]
            try:
                yield self.edges
            finally:
                for task in working:
                    task.cancel()
                await asyncio.wait(working)


async def _run(service: Service) -> None:
    await service.run()


@asynccontextmanager
async def hub_process(directory: Path) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jambridge.hub", "--bind", "127.0.0.1", "--port", "0", "--tls-port", "0",
        "--state-dir", str(directory), "--no-advertise", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{json.loads(await process.stdout.readline())['port']}"
    finally:
        process.terminate()
        await process.wait()


async def _until(edge: Latest[T], holds: Callable[[T], bool]) -> float:
    """The moment at which it holds of the edge's value."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds(edge.value):
            await edge.changed(edge.value)
    return time.monotonic()


async def _at_all(edges: Sequence[Latest[T]], holds: Callable[[T], bool]) -> float:
    return max([await _until(edge, holds) for edge in edges])


async def creations(hub: str, rounds: int) -> list[float]:
    """From nothing to a place in a new room, while the room's database takes connections and never answers."""
    took = []
    black_hole = await asyncio.start_server(_swallow, "127.0.0.1", 0)
    address = black_hole.sockets[0].getsockname()
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="jambridge-bench-") as folder:
            began = time.monotonic()
            member = Member(hub)
            edges = member.edges
            remote = Latest[Endpoint | None](Endpoint(f"http://{address[0]}:{address[1]}", "lan"))
            inputs = Inputs(edges.state, edges.members, edges.hosting, Latest(Setup()), remote)
            async with open_store(Path(folder) / "sessions.sqlite", "BENCH2", inputs, Rules()) as saver:
                saving = asyncio.create_task(saver.run())
                async with member.present(f"room:NEW{number:03}"):
                    await _until(edges.hosting, lambda hosting: hosting)
                    took.append(time.monotonic() - began)
                saving.cancel()
                with suppress(asyncio.CancelledError):
                    await saving
    black_hole.close()
    return took


async def _swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):
        while await reader.read(4096):
            pass
    writer.close()


async def comings_and_goings(hub: str, rounds: int) -> tuple[list[float], list[float]]:
    """From a fourth member's taking its place, and leaving, until the last of three others has seen it."""
    joins, leaves = [], []
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(Member(hub).present()) for _ in range(3)]
        for _ in range(rounds):
            member = Member(hub)

            def sees(members: tuple[Participant, ...], new: PeerId = member.me.id) -> bool:
                return any(one.id == new for one in members)

            def misses(members: tuple[Participant, ...], new: PeerId = member.me.id) -> bool:
                return not sees(members, new)

            visit = member.present()
            began = time.monotonic()  # the whole joining counts
            await visit.__aenter__()
            joins.append(await _at_all([one.members for one in others], sees) - began)
            began = time.monotonic()
            going = asyncio.create_task(visit.__aexit__(None, None, None))
            leaves.append(await _at_all([one.members for one in others], misses) - began)
            await going
    return joins, leaves


async def changes(hub: str, rounds: int) -> list[float]:
    """From one member's change of the tempo until it is in effect at all three others."""
    took = []
    async with AsyncExitStack() as stack:
        members = [await stack.enter_async_context(Member(hub).present()) for _ in range(4)]
        await _until(members[0].members, lambda present: len(present) == len(members))
        await asyncio.sleep(2)  # the first answers and digests are over
        for number in range(rounds):
            tempo = 60 + number % 200
            author, *others = members[number % 4 :] + members[: number % 4]
            began = time.monotonic()
            author.change("tempo", tempo)
            took.append(await _at_all([one.state for one in others], partial(_has, tempo)) - began)
            await asyncio.sleep(0.12)  # a second change within 100 ms waits, on purpose
    return took


def _has(tempo: float, state: RoomState) -> bool:
    return state.tempo == tempo


def _row(what: str, took: Sequence[float], bar: str) -> tuple[str, ...]:
    p50, p99 = np.percentile(np.array(took) * 1000, [50, 99])
    return what, str(len(took)), f"{p50:.1f}", f"{p99:.1f}", f"{max(took) * 1000:.1f}", bar


async def measure(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="jambridge-bench-") as folder:
        async with hub_process(Path(folder)) as hub:
            created = await creations(hub, rounds // 4)
            joins, leaves = await comings_and_goings(hub, rounds)
            changed = await changes(hub, rounds)
    rows = [
        _row("room created, database black-holed", created, "max 500"),
        _row("join, until all others have seen it", joins, "p99 100"),
        _row("leave, until all others have seen it", leaves, "p99 100"),
        _row("tempo change, until in effect at all", changed, "p99 50"),
    ]
    table("A room of four on a LAN hub, ms", ("what", "rounds", "p50", "p99", "max", "bar"), rows)


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
