"""The database behind a thread of its own: a call takes as long as the disk takes, and nobody else waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from jambridge.errors import DeviceError, WireError
from jambridge.store.trouble import Trouble

SLOW_S = 10.0

T = TypeVar("T")


class Disk:
    """What failed stays in `trouble` until something was written again: reading proves nothing."""

    def __init__(self, slow_s: float = SLOW_S) -> None:
        self._slow_s = slow_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self.trouble = Trouble("sessions are not saved")

    async def call(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises."""
        asked = self._thread.submit(work)
        future = asyncio.wrap_future(asked)
        future.add_done_callback(_look)  # nobody may wait for it any more
        _, late = await asyncio.wait({future}, timeout=self._slow_s)
        if late:
            self.trouble.broke(f"the disk has not answered for {self._slow_s:g} s")
        try:
            return await future
        except (DeviceError, WireError) as exc:
            self.trouble.broke(str(exc))
            raise

    def close(self, last: Callable[[], None]) -> None:
        """Do `last` when the thread gets there; nobody waits for it."""
        self._thread.submit(last)
        self._thread.shutdown(wait=False)


def _look(future: asyncio.Future[T]) -> None:
    if not future.cancelled():
        future.exception()
