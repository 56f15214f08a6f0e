"""Brings what the outbox holds to the room's own database, again and again until it is there."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from jambridge.edges import Latest
from jambridge.errors import DeviceError, LinkError, WireError
from jambridge.store import merging, outbox
from jambridge.store.outbox import Entry, Outbox
from jambridge.store.remote import Endpoint, Merge, RemoteStore, open_remote
from jambridge.store.sqlite import SqliteStore
from jambridge.store.transport import Pool
from jambridge.store.trouble import Trouble
from jambridge.strict_json import JsonObject

_AT_ONCE = 8


class Delivery:
    """One session's room database, wherever it is at the moment; sessions queued earlier go there as well."""

    def __init__(
        self,
        session_id: str,
        store: SqliteStore,
        on_disk: Callable[[Callable[[], Any]], Awaitable[Any]],
        hosting: Latest[bool],
        touched: Callable[[], bool],
        remote: Latest[Endpoint | None],
        wall: Callable[[], datetime],
    ) -> None:
        self._id = session_id
        self._store = store
        self._on_disk = on_disk
        self._hosting = hosting
        self._touched = touched
        self._remote = remote
        self._wall = wall
        self._queued = asyncio.Event()
        self._reached: RemoteStore | None = None
        self._counted = 0
        self.trouble = Trouble("sessions do not reach the room's database yet")

    @property
    def pending(self) -> int:
        """How many sessions wait, those not counted yet among them."""
        return max(self._counted, int(self._queued.is_set()))

    @property
    def pool(self) -> Pool:
        return self._reached.pool if self._reached else Pool()

    def queue(self, remote: Endpoint, now: datetime) -> None:
        """In the disk's thread: our session is to be delivered; `wake` says so to the task."""
        Outbox(self._store, remote.url).queue(self._id, now)

    def wake(self) -> None:
        if self._remote.value is not None:
            self._queued.set()

    def forget(self) -> None:
        """Read our session there before it is written again."""
        if self._reached is not None:
            self._reached.forget(self._id)

    async def run(self) -> None:
        while True:
            endpoint = self._remote.value
            if endpoint is None:
                await self._remote.changed(None)
                continue
            delivering = asyncio.create_task(self._serve(endpoint))
            moved = asyncio.create_task(self._remote.changed(endpoint))
            try:
                await asyncio.wait({delivering, moved}, return_when=asyncio.FIRST_COMPLETED)
                if delivering.done():
                    await delivering
            except LinkError as exc:  # the address is none: until there is another
                self.trouble.broke(str(exc))
                await moved
            finally:
                delivering.cancel()
                moved.cancel()
                await asyncio.gather(delivering, moved, return_exceptions=True)

    async def once(self) -> None:
        """Try what is queued, once, beside `run`; LinkError, DeviceError or WireError if that fails."""
        endpoint = self._remote.value
        if endpoint is not None:
            async with open_remote(endpoint) as remote:
                await self._deliver(remote, Outbox(self._store, endpoint.url))

    async def _serve(self, endpoint: Endpoint) -> None:
        """Deliver to one database until cancelled."""
        box = Outbox(self._store, endpoint.url)
        failures = 0
        async with open_remote(endpoint) as remote:
            self._reached = remote
            try:
                await self._begin(endpoint)
                while True:
                    self._counted = self.pending
                    self._queued.clear()
                    failures = 0 if await self._try(remote, box) else failures + 1
                    await self._pause(failures)
            finally:
                self._reached = None

    async def _begin(self, endpoint: Endpoint) -> None:
        """What was saved before it was known where the room is."""
        if self._hosting.value:
            with suppress(DeviceError):
                await self._on_disk(partial(self.queue, endpoint, self._wall()))

    async def _pause(self, failures: int) -> None:
        """Until something new is queued, or until it is time to try again after failing."""
        if failures:
            await asyncio.sleep(outbox.delay_s(failures))
        elif self.pending == 0:
            await self._queued.wait()

    async def _try(self, remote: RemoteStore, box: Outbox) -> bool:
        try:
            await self._deliver(remote, box)
        except (LinkError, WireError) as exc:
            self.trouble.broke(str(exc))
            return False
        except DeviceError:
            return False  # the disk's own trouble
        self.trouble.healed()
        return True

    async def _deliver(self, remote: RemoteStore, box: Outbox) -> None:
        try:
            for entry in await self._on_disk(partial(box.queued, _AT_ONCE)):
                await self._deliver_one(remote, box, entry)
        finally:
            with suppress(DeviceError):
                self._counted = await self._on_disk(box.pending)

    async def _deliver_one(self, remote: RemoteStore, box: Outbox, entry: Entry) -> None:
        present = await self._on_disk(partial(self._store.get, entry.id))
        hosting = entry.id == self._id and self._hosting.value
        merge = merging.merge_untouched if hosting and not self._touched() else merging.merge
        if present is not None:
            try:
                stored = await remote.save(entry.id, present.state, hosting=hosting, merge=merge)
            except (LinkError, WireError):
                await self._on_disk(partial(box.failed, entry))
                raise
            await self._on_disk(partial(self._adopt, entry.id, stored, hosting, merge))
        await self._on_disk(partial(box.delivered, entry))

    def _adopt(self, session_id: str, stored: JsonObject, hosting: bool, merge: Merge) -> None:
        """In the disk's thread: blocks that others own come back to our row, or all of it if we host no more."""

        def change(present: JsonObject | None) -> JsonObject | None:
            if present is None:
                return None
            newer = not hosting and merging.is_newer(stored, present)
            adopted = stored if newer else merging.numbered_as(merge(present, stored), present, stored)
            return None if adopted == present else adopted

        self._store.update(session_id, change, now=self._wall())
