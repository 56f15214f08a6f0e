"""Edges between services, named by what may be lost. Pure but for asyncio's wake-ups."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """State: the newest value wins, readers may miss the ones between."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._changed = asyncio.Event()

    @property
    def value(self) -> T:
        return self._value

    def set(self, value: T) -> None:
        """Replace the value; waiters wake only when it differs."""
        if value == self._value:
            return
        self._value = value
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, seen: T) -> T:
        """Return the value as soon as it differs from `seen`."""
        while self._value == seen:
            await self._changed.wait()
        return self._value


async def values(latest: Latest[T]) -> AsyncIterator[T]:
    """The present value, and then each newer one; for ever."""
    value = latest.value
    while True:
        yield value
        value = await latest.changed(value)


class Dropping(Generic[T]):
    """A stream: late is worse than lost. The oldest items are dropped and counted."""

    def __init__(self, capacity: int) -> None:
        self._items: deque[T] = deque(maxlen=capacity)
        self._ready = asyncio.Event()
        self.dropped = 0

    def put(self, item: T) -> None:
        if len(self._items) == self._items.maxlen:
            self.dropped += 1
        self._items.append(item)
        self._ready.set()

    async def get(self) -> T:
        while not self._items:
            self._ready.clear()
            await self._ready.wait()
        return self._items.popleft()

    @property
    def pending(self) -> int:
        return len(self._items)

    def clear(self) -> None:
        self._items.clear()


class Bounded(Generic[T]):
    """Nothing may be lost: what does not fit is refused, and the writer must act on it."""

    def __init__(self, capacity: int) -> None:
        self._queue: asyncio.Queue[T] = asyncio.Queue(capacity)
        self.refused = 0

    def offer(self, item: T) -> bool:
        """Append `item`, or count it and return False when full."""
        try:
            self._queue.put_nowait(item)
        except asyncio.QueueFull:
            self.refused += 1
            return False
        return True

    async def get(self) -> T:
        return await self._queue.get()

    def clear(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
