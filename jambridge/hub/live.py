"""The state of rooms that only the hub keeps, over its restart: those of Socket.IO clients, which hold none themselves.

Rooms of Realtime members need none of this: their members bring the state back.
"""

import asyncio
import json
import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from jambridge.errors import DeviceError, WireError
from jambridge.hub.database import Database
from jambridge.room.state import FIELDS, RoomState, checked, checked_stamp
from jambridge.store import record
from jambridge.store.sqlite import SqliteStore
from jambridge.strict_json import JsonObject
from jambridge.units import RoomCode

log = logging.getLogger(__name__)

KEPT = timedelta(hours=24)
MAX_ROOMS = 1000
_DEBOUNCE_S = 1.0


class LiveStates:
    """Writes are gathered for a second; what fails is tried with the next."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[RoomCode, RoomState] = {}
        self._due: dict[RoomCode, RoomState | None] = {}
        self._more = asyncio.Event()

    async def run(self) -> None:
        """Write what is due, until cancelled."""
        while True:
            await self._more.wait()
            await asyncio.sleep(_DEBOUNCE_S)
            await self.flush()

    async def flush(self) -> None:
        due, self._due = self._due, {}
        self._more.clear()
        if not due:
            return
        try:
            await self._database.call(lambda store: _write(store, due, datetime.now(UTC)))
        except DeviceError:  # said by the database; rooms go on without
            self._due = {**due, **self._due} if len(self._due) + len(due) <= MAX_ROOMS else self._due

    def keep(self, code: RoomCode, state: RoomState) -> None:
        """Write it, if it is news."""
        if self._kept.get(code) is not state:
            self._kept[code] = state
            self._put(code, state)

    def forget(self, code: RoomCode) -> None:
        """The last one left."""
        self._kept.pop(code, None)
        self._put(code, None)

    async def load(self, code: RoomCode) -> RoomState | None:
        """The state of a room as it was last kept; a hub without a database knows none."""
        if code in self._due:
            return self._due[code]
        with suppress(DeviceError):
            return await self._database.call(lambda store: _read(store, code, datetime.now(UTC)))
        return None

    async def known(self, code: RoomCode) -> bool:
        """Whether there was such a session in the last day, so that it may be joined though nobody is in it."""
        if self._due.get(code) is not None:
            return True
        tables = ("sessions",) if code in self._due else ("sessions", "live")
        with suppress(DeviceError):
            return await self._database.call(lambda store: _is_known(store, code, tables, datetime.now(UTC)))
        return False

    def _put(self, code: RoomCode, state: RoomState | None) -> None:
        if code in self._due or len(self._due) < MAX_ROOMS:
            self._due[code] = state
            self._more.set()


def to_json(state: RoomState) -> str:
    stamps = {name: list(state.stamp(name)) for name in FIELDS}
    return json.dumps({"state": state.values(), "stamps": stamps}, separators=(",", ":"))


def from_json(value: JsonObject) -> RoomState:
    """The state in a row; WireError if it is none."""
    values, stamps = value.get("state"), value.get("stamps")
    if not isinstance(values, Mapping) or not isinstance(stamps, Mapping):
        raise WireError("a kept state has values and stamps")
    state = RoomState()
    for name in FIELDS:
        state = state.put(name, checked(name, values.get(name)), checked_stamp(stamps.get(name)))
    return state


def _write(store: SqliteStore, due: Mapping[RoomCode, RoomState | None], now: datetime) -> None:
    stamp = record.to_text(now)
    with store.transaction() as connection:
        for code, state in due.items():
            if state is None:
                connection.execute("DELETE FROM live WHERE topic = ?", (code,))
            else:
                connection.execute("INSERT OR REPLACE INTO live VALUES (?, ?, ?)", (code, stamp, to_json(state)))
        connection.execute("DELETE FROM live WHERE updated_at < ?", (record.to_text(now - KEPT),))
        newest = "SELECT topic FROM live ORDER BY updated_at DESC LIMIT ?"
        connection.execute(f"DELETE FROM live WHERE topic NOT IN ({newest})", (MAX_ROOMS,))  # noqa: S608  constants


def _read(store: SqliteStore, code: RoomCode, now: datetime) -> RoomState | None:
    since = record.to_text(now - KEPT)
    with store.reading() as connection:
        statement = "SELECT state FROM live WHERE topic = ? AND updated_at >= ?"
        row = connection.execute(statement, (code, since)).fetchone()
    try:
        return from_json(record.decode(row[0])) if row else None
    except WireError as exc:
        log.warning("a kept state cannot be read code=%s error=%s", code, exc)
        return None


def _is_known(store: SqliteStore, code: RoomCode, tables: Collection[str], now: datetime) -> bool:
    queries = {
        "live": "SELECT 1 FROM live WHERE topic = ? AND updated_at >= ?",
        "sessions": "SELECT 1 FROM sessions WHERE id = ? AND created_at >= ?",
    }
    since = record.to_text(now - KEPT)
    with store.reading() as connection:
        return any(connection.execute(queries[table], (code, since)).fetchone() for table in tables)
