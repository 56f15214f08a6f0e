"""A live hub and the drivers, kept for all tests of a module in a thread with a loop of its own."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from jambridge.hub.server import HubServer
from tests.hub.conformance.guests import Driver, Guest, JsGuest, PythonGuest, Wire, Wishes
from tests.hub.live import health, live_hub

CLIENTS = ("js1", "js2", "python")
VERSIONS = {"js1": "1.0.0", "js2": "2.0.0"}
_SCENARIO_S = 90.0


class Stage:
    """One hub, and guests of any client on it."""

    def __init__(self, hub: HubServer, drivers: dict[str, Driver], wire: Wire) -> None:
        self.hub = hub
        self.url = f"http://127.0.0.1:{hub.port}"
        self.wire = wire
        self._drivers = drivers
        self._names = itertools.count()

    async def guest(self, client: str, key: str, room: str, wishes: Wishes | None = None) -> Guest:
        """A client that has a channel and has not joined."""
        wishes = wishes or Wishes()
        if client == "python":
            return await PythonGuest.made(self.wire, self.url, key, room, wishes)
        name = f"{key}{next(self._names)}"
        return await JsGuest.made(self._drivers[client], self.url, name, key, room, wishes)

    @asynccontextmanager
    async def joined(self, room: str, *clients: str, wishes: Wishes | None = None) -> AsyncIterator[list[Any]]:
        """Guests `a`, `b`, ... of those clients, all in the room."""
        async with AsyncExitStack() as stack:
            guests = []
            for key, client in zip("abcdef", clients, strict=False):
                guest = await self.guest(client, key, room, wishes)
                stack.push_async_callback(guest.close)
                assert await guest.subscribe() == "SUBSCRIBED"
                guests.append(guest)
            yield guests

    async def dropped(self) -> dict[str, int]:
        counts: dict[str, int] = (await health(self.hub))["dropped"]
        return counts


@asynccontextmanager
async def _stage(directory: Path, **options: Any) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(Wire.tapped())
        hub = await stack.enter_async_context(live_hub(directory, max_per_address=200, **options))
        opened = [stack.enter_async_context(Driver.running(version)) for version in VERSIONS.values()]
        drivers = await asyncio.gather(*opened)
        yield Stage(hub, dict(zip(VERSIONS, drivers, strict=True)), wire)


class Running:
    """A stage, from outside the loop that it plays in."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()

    def play(self, scenario: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
        playing = asyncio.run_coroutine_threadsafe(asyncio.wait_for(scenario(self.stage), _SCENARIO_S), self._loop)
        playing.result()

    async def wait(self) -> None:
        await self._over.wait()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)


@contextmanager
def running(directory: Path, **options: Any) -> Iterator[Running]:
    opened: Future[Running] = Future()

    async def hold() -> None:
        try:
            async with _stage(directory, **options) as stage:
                running = Running(stage)
                opened.set_result(running)
                await running.wait()
        finally:
            opened.cancel()

    thread = threading.Thread(target=asyncio.run, args=[hold()], name="stage")
    thread.start()
    try:
        running = opened.result()
        try:
            yield running
        finally:
            running.end()
    finally:
        thread.join()
