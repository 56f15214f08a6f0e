"""The hub dies or hangs exactly while members join, each of them at another step of it."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes import lossy_wire
from tests.fakes.lossy_wire import Data
from tests.room.live import PATIENCE_S, Seat, at, person, seated, stop, within_patience

STEPS = range(1, 9)
"""Frames there and back: join, its answer, who is present, track, its answer, the news of it, and the state's."""
AWAY_S = {signal.SIGKILL: 1.0, signal.SIGSTOP: 8.0}  # the second is longer than a member waits for an answer


class Hub:
    """A hub of its own process, at the same port each time. Use `running`."""

    process: Process

    def __init__(self, place: Path) -> None:
        self._place = place
        self.port = 0

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jambridge.hub", "--bind", "127.0.0.1", "--port", str(self.port), "--tls-port", "0",
            "--state-dir", str(self._place), "--no-advertise", "--max-per-address", "200", stdout=PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port = json.loads(await self.process.stdout.readline())["port"]

    async def fail(self, number: signal.Signals) -> None:
        """Be gone for a while, by that signal."""
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            await self.process.wait()
        await asyncio.sleep(AWAY_S[number])
        if number == signal.SIGKILL:
            await self.start()
        else:
            self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def running(place: Path) -> AsyncIterator[Hub]:
    hub = Hub(place)
    await hub.start()
    try:
        yield hub
    finally:
        hub.process.kill()
        await hub.process.wait()


class Gate:
    """Lets so many frames through, and holds all others back until it is open for good; none is lost, as by TCP."""

    def __init__(self, frames: int) -> None:
        self._left = frames
        self._opened = asyncio.Event()
        self.reached = asyncio.Event()

    async def passes(self, _data: Data) -> bool:
        self._left -= 1
        if self._left < 0:
            self.reached.set()
            await self._opened.wait()
        return True

    def open(self) -> None:
        self._opened.set()


@pytest.mark.parametrize("number", AWAY_S, ids=["dies", "hangs"])
def test_members_get_their_places_whatever_step_of_joining_they_are_at_when_the_hub(
    number: signal.Signals, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with (
            running(tmp_path) as hub,
            seated(at(hub.port), "Ada", "Bob") as (ada, bob),
            AsyncExitStack() as stack,
        ):
            ada.room.change("tempo", 90)
            await bob.plays_at(90)
            gates = [Gate(step) for step in STEPS]
            newcomers: list[Seat] = []
            for gate in gates:
                wire = await stack.enter_async_context(lossy_wire.laid(hub.port, gate.passes))
                newcomers.append(Seat(at(wire.port), person(f"New{len(newcomers)}", 1)))
                stack.push_async_callback(stop, newcomers[-1])
            for gate in gates:
                await gate.reached.wait()
            failing = asyncio.create_task(hub.fail(number))
            bob.room.change("tempo", 91)
            if number == signal.SIGKILL:  # a stranger who is first in a hub that has just started would be its host
                await ada.goes("reconnecting")
                await failing
                await ada.goes("connected")
            for gate in gates:
                gate.open()
            await failing
            names = ["Ada", "Bob", *(f"New{number}" for number in range(len(newcomers)))]
            for seat in (ada, bob, *newcomers):
                await seat.sees(*names)
                await seat.hosted_by("ada")
                await seat.plays_at(91)

    within_patience(scenario, 2 * PATIENCE_S)
