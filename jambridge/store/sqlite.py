"""Sessions in this box's own database; every call is short and blocks, so call it from a thread."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from jambridge.errors import WireError
from jambridge.store import record, schema
from jambridge.store.record import SessionRecord
from jambridge.strict_json import JsonObject

log = logging.getLogger(__name__)

_COLUMNS = "id, created_at, updated_at, state"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SqliteStore:
    """One connection. All methods raise DeviceError when the disk or the database fails."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        return cls(schema.open_database(path), path)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for statements of one's own that change nothing."""
        with self._lock, schema.device_errors(self.path):
            yield self._connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection in a transaction that is committed at the end, or rolled back by an exception.

        One inside another is part of it.
        """
        with self._lock, schema.device_errors(self.path):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def get(self, session_id: str) -> SessionRecord | None:
        with self.reading() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM sessions WHERE id = ?", (session_id,)).fetchone()  # noqa: S608
        return _record(row) if row else None

    def recent(self, limit: int = 10) -> list[SessionRecord]:
        """The newest sessions first, by their creation."""
        with self.reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM sessions ORDER BY created_at DESC, id LIMIT ?",  # noqa: S608
                (limit,),
            ).fetchall()
        return [_record(row) for row in rows]

    def insert(self, session_id: str, state: JsonObject, *, now: datetime, created_at: datetime | None = None) -> bool:
        """Add a session; False when there is one of this id.

        Raises:
            WireError: `state` is no JSON object of at most 256 KiB.
        """
        text = record.encode(state)
        with self.transaction() as connection:
            cursor = connection.execute(
                f"INSERT INTO sessions ({_COLUMNS}) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",  # noqa: S608
                (session_id, record.to_text(created_at or now), record.to_text(now), text),
            )
        return cursor.rowcount > 0

    def save(self, session_id: str, state: JsonObject, *, now: datetime) -> None:
        """Insert, or replace the state; the time of creation stays. WireError as for `insert`."""
        text, stamp = record.encode(state), record.to_text(now)
        with self.transaction() as connection:
            connection.execute(
                f"INSERT INTO sessions ({_COLUMNS}) VALUES (?, ?, ?, ?)"  # noqa: S608
                " ON CONFLICT (id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at",
                (session_id, stamp, stamp, text),
            )

    def update(
        self, session_id: str, change: Callable[[JsonObject | None], JsonObject | None], *, now: datetime
    ) -> JsonObject | None:
        """Read, change and write in one transaction; None from `change` writes nothing. Returns what was written."""
        with self.transaction():
            present = self.get(session_id)
            state = change(present.state if present else None)
            if state is not None:
                self._write(session_id, state, now, known=present is not None)
        return state

    def delete(self, session_id: str) -> bool:
        with self.transaction() as connection:
            return connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,)).rowcount > 0

    def purge(self, before: datetime, keep: Collection[str] = ()) -> int:
        """Delete the sessions whose last activity was before `before`; how many."""
        with self.transaction() as connection:
            rows = connection.execute("SELECT id FROM sessions WHERE updated_at < ?", (record.to_text(before),))
            doomed = [(session_id,) for (session_id,) in rows.fetchall() if session_id not in keep]
            connection.executemany("DELETE FROM sessions WHERE id = ?", doomed)
        return len(doomed)

    def count(self) -> int:
        with self.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM sessions").fetchone()[0])

    def _write(self, session_id: str, state: JsonObject, now: datetime, *, known: bool) -> None:
        text, stamp = record.encode(state), record.to_text(now)
        if known:
            statement = "UPDATE sessions SET state = ?, updated_at = ? WHERE id = ?"
            self._connection.execute(statement, (text, stamp, session_id))
        else:
            statement = f"INSERT INTO sessions ({_COLUMNS}) VALUES (?, ?, ?, ?)"  # noqa: S608
            self._connection.execute(statement, (session_id, stamp, stamp, text))


def _record(row: tuple[str, object, object, object]) -> SessionRecord:
    """A row whose state cannot be read has the empty one, which `session.parse` refuses as it would the damage."""
    session_id, created_at, updated_at, text = row
    try:
        state = record.decode(text)
    except WireError as exc:
        log.warning("a stored session cannot be read id=%s error=%s", session_id, exc)
        state = {}
    return SessionRecord(session_id, _moment(created_at), _moment(updated_at), state)


def _moment(text: object) -> datetime:
    try:
        return record.to_moment(text)
    except WireError:
        return _EPOCH
