"""The session file as the hub uses it: off the event loop, one call at a time, opened when first needed."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from jambridge.errors import DeviceError
from jambridge.store.sqlite import SqliteStore

log = logging.getLogger(__name__)

_MAX_WAITING = 16
_PATIENCE_S = 5.0
_STATEMENT_S = 1.0
_STEPS = 10_000  # of SQLite's machine between two looks at the clock: below a millisecond

Answer = TypeVar("Answer")


class BusyError(DeviceError):
    """Too many wait, or one takes too long: to be asked again later."""


class Database:
    """Calls go to one thread: SQLite writes one at a time anyway, and a slow disk stops nothing but sessions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sessions")
        self._waiting = 0
        self._store: SqliteStore | None = None
        self._until_s = 0.0
        self._failed = False

    async def call(self, work: Callable[[SqliteStore], Answer]) -> Answer:
        """Run `work` on the store; what it raises besides DeviceError comes through.

        Raises:
            BusyError: it cannot be done now.
            DeviceError: the file cannot be read or written.
        """
        if self._waiting >= _MAX_WAITING:
            raise BusyError("too many requests wait for the database")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)
        future.add_done_callback(self._finished)  # not when we stop waiting: the thread goes on
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await asyncio.shield(future)
        except TimeoutError:
            raise BusyError("the database takes too long") from None
        except BusyError:
            raise
        except DeviceError as exc:
            if not self._failed:
                log.warning("sessions cannot be read or written error=%s", exc)
            self._failed = True
            raise
        self._failed = False
        return answer

    def close(self) -> None:
        """Take no more; a call under way ends by its own limit, in its thread."""
        self._until_s = 0.0
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def _finished(self, future: "asyncio.Future[Answer]") -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # looked at: nobody may wait for it any more

    def _run(self, work: Callable[[SqliteStore], Answer]) -> Answer:
        if self._store is None:
            self._store = SqliteStore.open(self._path)
            with self._store.reading() as connection:
                connection.set_progress_handler(self._is_late, _STEPS)
        self._until_s = time.monotonic() + _STATEMENT_S
        try:
            return work(self._store)
        except DeviceError as exc:
            cause = exc.__cause__
            if isinstance(cause, sqlite3.OperationalError) and "interrupted" in str(cause):
                raise BusyError("the statement takes too long") from exc
            raise

    def _is_late(self) -> bool:
        return time.monotonic() > self._until_s

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
