"""What REST does to the table of sessions: each call one transaction. It blocks: for the database's thread."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import Connection

from jambridge.hub import rest, rest_sql
from jambridge.hub.rest import Row
from jambridge.hub.rest_query import Query, RefusedError
from jambridge.store import record
from jambridge.store.sqlite import SqliteStore

MAX_STORED = 5000
"""Rows in all; beyond it new ones are refused, and nobody's old ones displaced."""

_EMPTY = "{}"
_MAX_READ = 4 * 1024 * 1024  # characters of states looked at for one answer
Stored = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of id, created_at and state; `total` where all were to be counted."""

    rows: list[Stored]
    total: int | None = None
    created: bool = False


def read(store: SqliteStore, query: Query, *, counted: bool) -> Found:
    """The rows asked for; RefusedError where they hold too much. A state that is not asked for is not read."""
    statement, parameters = rest_sql.rows(query)
    with store.reading() as connection:
        rows = _bounded(connection.execute(statement, parameters))
        total = connection.execute(*rest_sql.count(query)).fetchone()[0] if counted else None
    return Found(rows, total)


def insert(store: SqliteStore, rows: Sequence[Row], on_duplicate: str | None, now: datetime) -> Found:
    """Add rows; those that exist are merged, left alone, or an error for all.

    Raises:
        RefusedError: a row exists, or the table is full.
    """
    stamp = record.to_text(now)
    with store.transaction() as connection:
        ids = [str(row.id) for row in rows]
        known = {id_ for id_ in ids if _exists(connection, id_)}
        if known and on_duplicate is None:
            raise rest.duplicate()
        if len(known) < len(ids) and _count(connection) + len(ids) - len(known) > MAX_STORED:
            raise RefusedError(503, "53400", f"the hub keeps at most {MAX_STORED} sessions")
        touched = [row for row in rows if row.id not in known or on_duplicate == "merge"]
        for row in touched:
            if row.id in known:
                _update(connection, str(row.id), row, stamp)
            else:
                _insert(connection, row, stamp)
        stored = _rows(connection, [str(row.id) for row in touched])
    return Found(stored, len(stored), created=len(known) < len(ids) or on_duplicate != "merge")


def change(store: SqliteStore, query: Query, row: Row, now: datetime, *, single: bool) -> Found:
    """Set what `row` sets in all rows found.

    Raises:
        RefusedError: a code would be changed, or one row was wanted and it is not one.
    """
    stamp = record.to_text(now)
    with store.transaction() as connection:
        found = _found(connection, query)
        _must_be_one(found, single=single)
        if row.id is not None and any(id_ != row.id for id_ in found):
            raise RefusedError(401, "42501", "a session keeps its code")
        if row == Row():
            return Found([])
        for id_ in found:
            _update(connection, id_, row, stamp)
        return Found(_rows(connection, found))


def delete(store: SqliteStore, query: Query, *, single: bool) -> Found:
    """Delete the rows found; RefusedError where one was wanted and it is not one."""
    with store.transaction() as connection:
        found = _found(connection, query)
        _must_be_one(found, single=single)
        rows = _rows(connection, found)
        connection.executemany("DELETE FROM sessions WHERE id = ?", [(id_,) for id_ in found])
    return Found(rows)


def _bounded(rows: Iterable[Stored]) -> list[Stored]:
    taken, size = [], 0
    for row in rows:
        taken.append(row)
        size += len(row[2])
        if size > _MAX_READ:
            raise rest.too_long()
    return taken


def _found(connection: Connection, query: Query) -> list[str]:
    where, parameters = rest_sql.condition(query.filters)
    statement = f"SELECT id FROM sessions WHERE {where} ORDER BY id LIMIT ?"  # noqa: S608  no word of it is a client's
    return [id_ for (id_,) in connection.execute(statement, [*parameters, query.limit])]


def _must_be_one(found: Sequence[str], *, single: bool) -> None:
    if single and len(found) != 1:
        details = f"The result contains {len(found)} rows"
        raise RefusedError(406, "PGRST116", "JSON object requested, multiple (or no) rows returned", details=details)


def _exists(connection: Connection, id_: str) -> bool:
    return connection.execute("SELECT 1 FROM sessions WHERE id = ?", (id_,)).fetchone() is not None


def _count(connection: Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sessions").fetchone()[0])


def _insert(connection: Connection, row: Row, stamp: str) -> None:
    values = (row.id, row.created_at or stamp, stamp, row.state or _EMPTY)
    connection.execute("INSERT INTO sessions (id, created_at, updated_at, state) VALUES (?, ?, ?, ?)", values)


def _update(connection: Connection, id_: str, row: Row, stamp: str) -> None:
    statement = (
        "UPDATE sessions SET state = coalesce(?, state), created_at = coalesce(?, created_at), updated_at = ?"
        " WHERE id = ?"
    )
    connection.execute(statement, (row.state, row.created_at, stamp, id_))


def _rows(connection: Connection, ids: Sequence[str]) -> list[Stored]:
    statement = f"SELECT {rest_sql.STORED} FROM sessions WHERE id = ?"  # noqa: S608  a constant
    return [connection.execute(statement, (id_,)).fetchone() for id_ in ids]
