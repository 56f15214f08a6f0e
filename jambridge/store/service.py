"""The saver: a session is stored while we host it, here at once and in the room's own database as soon as it answers.

Nothing here disturbs the room: the disk is asked from a thread of its own, the network from a task, and what fails is
tried again and shown, never raised. Only a database that cannot be opened ends the service, to be opened again.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from jambridge.edges import Latest
from jambridge.errors import DeviceError, JambridgeError, WireError
from jambridge.room.messages import Participant
from jambridge.room.state import RoomState
from jambridge.store import merging, record
from jambridge.store.delivery import Delivery
from jambridge.store.disk import Disk
from jambridge.store.merging import Moment, Setup
from jambridge.store.outbox import delay_s
from jambridge.store.record import SessionRecord
from jambridge.store.remote import Endpoint
from jambridge.store.sqlite import SqliteStore
from jambridge.store.transport import Pool
from jambridge.store.trouble import Trouble
from jambridge.strict_json import JsonObject

log = logging.getLogger(__name__)

LEAVING_S = 0.5
PURGE_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is saved: the newest of each."""

    state: Latest[RoomState]
    members: Latest[tuple[Participant, ...]]
    hosting: Latest[bool]
    setup: Latest[Setup]
    remote: Latest[Endpoint | None]
    """The room's own database, where it is another than this box's."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The configuration's `store` section, as far as it is about saving."""

    save_every_s: float = 30.0
    retention_h: float = 24.0
    device_ips: bool = True
    first_purge_s: float = 600.0
    """A box without a clock of its own has asked for the time by then."""


@dataclass(frozen=True, slots=True)
class StoreReport:
    """For the status. `pending` sessions have not reached the room's own database yet."""

    backend: str = "sqlite"
    saved_at: str | None = None
    pending: int = 0
    last_error: str | None = None
    pool: Pool = field(default_factory=Pool)
    minutes: int | None = None
    """How long the session has lasted so far, also before we came; None while another hosts it."""


@dataclass(frozen=True, slots=True)
class Clocks:
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)


class Saver:
    """One session's saving; `open_store` makes it."""

    def __init__(
        self,
        session_id: str,
        store: SqliteStore,
        disk: Disk,
        inputs: Inputs,
        rules: Rules,
        clocks: Clocks,
        resumed: JsonObject | None,
    ) -> None:
        self._id = session_id
        self._store = store
        self._disk = disk
        self._inputs = inputs
        self._rules = rules
        self._clocks = clocks
        self._resumed = resumed
        self._delivery = Delivery(
            session_id, store, disk.call, inputs.hosting, self._touched, inputs.remote, clocks.wall
        )
        self._began_s: float | None = None
        self._base_minutes = 0
        self._saved_at: str | None = None
        self._large = Trouble("a session is larger than it should be")
        self._opened = (clocks.wall(), clocks.monotonic())

    @property
    def report(self) -> StoreReport:
        return StoreReport(
            "sqlite" if self._inputs.remote.value is None else "sqlite+rest",
            self._saved_at,
            self._delivery.pending,
            self._disk.trouble.reason or self._delivery.trouble.reason,
            self._delivery.pool,
            None if self._began_s is None else self._minutes(self._began_s),
        )

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._save_while_hosting())
            group.create_task(self._delivery.run())
            group.create_task(self._purge_hourly())

    async def save(self) -> bool:
        """Save what is new of it; False when the disk does not let us, which is shown and tried again."""
        inputs, now = self._inputs, self._clocks.wall()
        try:
            size = await self._disk.call(partial(self._write, self._moment(now), inputs.remote.value, now))
        except (DeviceError, WireError):
            return False
        self._disk.trouble.healed()
        if size is not None:
            self._saved_at = record.to_text(now)
            self._measure(size)
            self._delivery.wake()
        return True

    async def recent(self, limit: int) -> list[SessionRecord]:
        """The newest sessions here; raises DeviceError."""
        return await self._disk.call(partial(self._store.recent, limit))

    async def find(self, session_id: str) -> SessionRecord | None:
        """A session as it is stored here; raises DeviceError and WireError."""
        return await self._disk.call(partial(self._store.get, session_id))

    async def leave(self) -> None:
        """One last save; what does not reach the room's database now is in the outbox."""
        with suppress(TimeoutError, JambridgeError):
            async with asyncio.timeout(LEAVING_S):
                if self._inputs.hosting.value and self._began_s is not None and await self.save():
                    await self._delivery.once()

    async def _save_while_hosting(self) -> None:
        while True:
            if not self._inputs.hosting.value:
                self._began_s = None
                await self._inputs.hosting.changed(seen=False)
            await self._take_over()
            failures = 0
            while self._inputs.hosting.value:
                failures = 0 if await self.save() else failures + 1
                retry_s = delay_s(failures) if failures else self._rules.save_every_s
                await self._pause(min(retry_s, self._rules.save_every_s))

    async def _take_over(self) -> None:
        """We host from now on: minutes count on from those stored, and what others stored meanwhile is read first."""
        self._delivery.forget()
        with suppress(DeviceError, WireError):
            present = await self._disk.call(partial(self._store.get, self._id))
            self._base_minutes = merging.duration(present.state if present else self._resumed)
            self._saved_at = record.to_text(present.updated_at) if present else None
        self._began_s = self._clocks.monotonic()

    async def _pause(self, seconds: float) -> None:
        """Until it is time, or we host no more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._inputs.hosting.changed(seen=True)

    def _touched(self) -> bool:
        """Whether anybody ever set the room's state: defaults do not replace what is stored."""
        return self._inputs.state.value.revision > 0

    def _moment(self, now: datetime) -> Moment:
        state = self._inputs.state.value
        began_s = self._clocks.monotonic() if self._began_s is None else self._began_s
        return Moment(
            state.values() if self._touched() else {},
            max(1, len(self._inputs.members.value)),
            self._inputs.setup.value,
            self._minutes(began_s),
            now,
        )

    def _minutes(self, began_s: float) -> int:
        return self._base_minutes + merging.minutes_between(began_s, self._clocks.monotonic())

    def _write(self, moment: Moment, remote: Endpoint | None, now: datetime) -> int | None:
        """In the disk's thread: the row and its place in the outbox, both or neither; the bytes written, if any."""

        def change(present: JsonObject | None) -> JsonObject | None:
            previous = self._resumed if present is None else present
            new = merging.snapshot(previous, moment, device_ips=self._rules.device_ips)
            return previous if new is None and present is None else new

        with self._store.transaction():
            written = self._store.update(self._id, change, now=now)
            if written is not None and remote is not None:
                self._delivery.queue(remote, now)
        return None if written is None else len(record.encode(written).encode())

    def _measure(self, size: int) -> None:
        if size > record.LARGE_BYTES:
            self._large.broke(f"{size} bytes, 5 KB is usual")
        else:
            self._large.healed()

    async def purge(self) -> None:
        """Delete sessions without activity for the time of retention, but never ours."""
        before = self._least_now() - timedelta(hours=self._rules.retention_h)
        with suppress(DeviceError, WireError):
            gone = await self._disk.call(partial(self._store.purge, before, {self._id}))
            if gone:
                self._disk.trouble.healed()
                log.info("old sessions deleted count=%d", gone)

    async def _purge_hourly(self) -> None:
        await asyncio.sleep(self._rules.first_purge_s)
        while True:
            await self.purge()
            await asyncio.sleep(PURGE_EVERY_S)

    def _least_now(self) -> datetime:
        """The time, but no later than what has passed since the start allows: a clock that jumps deletes nothing."""
        wall, monotonic = self._opened
        return min(self._clocks.wall(), wall + timedelta(seconds=self._clocks.monotonic() - monotonic))


@asynccontextmanager
async def open_store(
    path: Path,
    session_id: str,
    inputs: Inputs,
    rules: Rules,
    *,
    resumed: JsonObject | None = None,
    clocks: Clocks = Clocks(),
) -> AsyncIterator[Saver]:
    """Open the database and save the session `session_id` there while `inputs.hosting`; a last time at the end.

    Args:
        path: of the database, see `schema.database_path`.
        session_id: the room's code.
        inputs: what is saved.
        rules: how often, how long, how much.
        resumed: the state of a resumed session, begun with where there is none of this id.
        clocks: for tests.

    Raises:
        DeviceError: the database cannot be opened.
    """
    disk = Disk()
    store = None
    try:
        store = await disk.call(partial(SqliteStore.open, path))
        saver = Saver(session_id, store, disk, inputs, rules, clocks, resumed)
        try:
            yield saver
        finally:
            await saver.leave()
    finally:
        disk.close(store.close if store is not None else lambda: None)
