"""The services of one process: started together, each restarted alone, stopped one after another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic, TypeVar

from jambridge.supervise import LONGEST_DELAY_S, Health, Service, supervise

S = TypeVar("S", bound=Service)

STOP_S = 1.2  # a service that takes longer to say goodbye is left behind


class Running(Generic[S]):
    """One service over its restarts; `present` is the one running now, if any."""

    def __init__(self, name: str, open_service: Callable[[], AbstractAsyncContextManager[S]]) -> None:
        self.health = Health(name)
        self.present: S | None = None
        self._open_service = open_service

    @asynccontextmanager
    async def open(self) -> AsyncIterator[S]:
        async with self._open_service() as service:
            self.present = service
            try:
                yield service
            finally:
                self.present = None


class Services:
    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._health: dict[str, Health] = {}
        self._ended: asyncio.Future[asyncio.Task[None]] = asyncio.get_running_loop().create_future()

    @property
    def health(self) -> Mapping[str, Health]:
        return self._health

    def start(
        self,
        name: str,
        open_service: Callable[[], AbstractAsyncContextManager[S]],
        longest_delay_s: float = LONGEST_DELAY_S,
    ) -> Running[S]:
        running = Running(name, open_service)
        self._health[name] = running.health
        task = asyncio.create_task(supervise(running.health, running.open, longest_delay_s=longest_delay_s), name=name)
        task.add_done_callback(self._on_end)
        self._tasks[name] = task
        return running

    async def until_one_gives_up(self) -> None:
        """Wait for a service that ends for good, and raise why."""
        await (await asyncio.shield(self._ended))

    async def end(self, *order: str) -> None:
        """Stop and forget the services named, each after the one before has said goodbye; the others go on."""
        for name in order:
            await _cancel([self._tasks.pop(name)] if name in self._tasks else [])
            self._health.pop(name, None)

    async def stop(self, *order: str) -> None:
        """Stop the services named, each after the one before has said goodbye, then all others at once."""
        for name in order:
            await _cancel([self._tasks.pop(name)] if name in self._tasks else [])
        await _cancel(list(self._tasks.values()))

    def _on_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self._ended.done():
            self._ended.set_result(task)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_S)
