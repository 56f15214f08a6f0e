"""What a request to `/rest/v1/sessions` asks for beside its query, and the answer's form. Pure.

The row's limits are those of the SQL that is shipped for Supabase: an id is a room code, a state an object of at most
64 KiB. Two things differ. DELETE is allowed, since a hub has no owner with a key of its own who could; and what changes
or deletes must name its rows by id, so that one request cannot empty the table.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.hub.rest_query import COLUMNS, Field, Output, Query, RefusedError, timestamp, unknown_in_body

MAX_BODY = 256 * 1024
MAX_ANSWER = 1024 * 1024
"""Bytes. It waits in memory until it is read, and a query can name a state sixteen times."""
_MAX_STATE = 64 * 1024
_MAX_BODY_ROWS = 100
_CLOCK_SLACK = timedelta(minutes=1)
_ID = re.compile(r"[A-Z0-9]{6}|[A-Z]{2,7}-[0-9]{1,2}|[A-Z]{8}-[0-9]")
_WHOLE_STATE = Field("state")
_OBJECT = "application/vnd.pgrst.object+json"
_ACCEPTED = ("*/*", "application/*", "application/json", "application/vnd.pgrst.array+json")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the headers `Prefer` and `Accept` say."""

    representation: bool = False
    on_duplicate: str | None = None
    """`merge` or `ignore`; None is an error."""
    counted: bool = False
    single: bool = False


def wishes(prefer: Iterable[str], accept: str) -> Wishes:
    """Read the headers.

    Raises:
        RefusedError: no such form of answer is made here.
    """
    said = {part.strip() for line in prefer for part in line[:1024].split(",")}
    types = [part.partition(";")[0].strip() for part in accept[:1024].split(",") if part.strip()]
    if types and not {*types} & {*_ACCEPTED, _OBJECT}:
        raise RefusedError(415, "PGRST107", f"None of these media types are available: {', '.join(types)[:80]}")
    duplicate = next((way for way in ("merge", "ignore") if f"resolution={way}-duplicates" in said), None)
    return Wishes(
        representation="return=representation" in said,
        on_duplicate=duplicate,
        counted=bool(said & {"count=exact", "count=planned", "count=estimated"}),
        single=_OBJECT in types,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """What a body sets; None is what it leaves alone."""

    id: str | None = None
    created_at: str | None = None
    state: str | None = None
    """JSON."""


def inserted(body: bytes, columns: frozenset[str] | None, now: datetime, *, merges: bool) -> list[Row]:
    """The rows of a POST, made `now` give or take a minute; `merges` is whether they may change others.

    Raises:
        RefusedError: no row, or not one that the table takes.
    """
    value = _json(body)
    objects = value if isinstance(value, list) else [value]
    if len(objects) > _MAX_BODY_ROWS:
        raise RefusedError(413, "54000", f"more than {_MAX_BODY_ROWS} rows at once")
    if len({frozenset(item) for item in objects if isinstance(item, dict)}) > 1 and columns is None:
        raise RefusedError(400, "PGRST102", "All object keys must match")
    rows = [_row(item, columns) for item in objects]
    if any(row.id is None for row in rows):
        raise _null("id")
    if merges and any(row.created_at is not None for row in rows):
        raise _forbidden()
    if any(row.created_at is not None and not _is_now(row.created_at, now) for row in rows):
        raise RefusedError(401, "42501", 'new row violates row-level security policy for table "sessions"')
    if len({row.id for row in rows}) != len(rows):
        raise _twice() if merges else duplicate()
    return rows


def patched(body: bytes, columns: frozenset[str] | None) -> Row:
    """The changes of a PATCH.

    Raises:
        RefusedError: none that the table takes.
    """
    row = _row(_json(body), columns)
    if row.created_at is not None:
        raise _forbidden()
    return row


def must_name_rows(query: Query, verb: str) -> None:
    """What changes rows names them: as on hosted Supabase at least somehow, here by id.

    Raises:
        RefusedError: the query could mean all.
    """
    if not any(f.field.column == "id" and f.operator in ("eq", "in") and not f.negated for f in query.filters):
        hint = "The hub changes and deletes only rows that are named: id=eq.ABC123 or id=in.(ABC123,DEF456)"
        raise RefusedError(400, "21000", f"{verb} requires a WHERE clause", hint=hint)


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def too_long() -> RefusedError:
    return RefusedError(413, "54000", "the answer is too long", hint="Ask for fewer rows, or leave out state.")


def duplicate() -> RefusedError:
    message = 'duplicate key value violates unique constraint "sessions_pkey"'
    return RefusedError(409, "23505", message)


def answer(rows: Sequence[tuple[str, str, str]], outputs: Sequence[Output], *, single: bool) -> bytes:
    """The body for rows of id, created_at and state, the latter as JSON, which it must be.

    Raises:
        RefusedError: one was asked for and there are none or many, or they are too large.
    """
    if single and len(rows) != 1:
        details = f"The result contains {len(rows)} rows"
        raise RefusedError(406, "PGRST116", "JSON object requested, multiple (or no) rows returned", details=details)
    shown, size = [], 0
    for row in rows:
        shown.append(_shown(row, outputs).encode())
        size += len(shown[-1])
        if size > MAX_ANSWER:
            raise too_long()
    return shown[0] if single else b"[" + b",".join(shown) + b"]"


def content_range(shown: int, offset: int, total: int | None) -> str:
    rows = f"{offset}-{offset + shown - 1}" if shown else "*"
    return f"{rows}/{'*' if total is None else total}"


def _shown(row: tuple[str, str, str], outputs: Sequence[Output]) -> str:
    """One row as JSON. A whole state is passed on as it is stored: to parse it would keep the rooms waiting."""
    by_column = dict(zip(COLUMNS, row, strict=True))
    state = json.loads(row[2]) if any(output.field.path for output in outputs) else None
    texts = {
        output.name: by_column["state"]
        if output.field == _WHOLE_STATE
        else _compact(_reached(state, output.field) if output.field.path else by_column[output.field.column])
        for output in outputs
    }
    return "{" + ",".join(f"{_compact(name)}:{text}" for name, text in texts.items()) + "}"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _reached(value: Any, field: Field) -> Any:
    for step in field.path:
        match value, step:
            case dict(), str():
                value = value.get(step)
            case list(), int() if -len(value) <= step < len(value):
                value = value[step]
            case _:
                return None
    if not field.as_text or value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _row(value: Any, columns: frozenset[str] | None) -> Row:
    if not isinstance(value, dict):
        raise _bad_body("a row is an object")
    for name in sorted(value.keys() - set(COLUMNS)):
        if columns is None or name in columns:
            raise unknown_in_body(name)
    taken = {name: value[name] for name in value if columns is None or name in columns}
    return Row(
        id=_id(taken["id"]) if "id" in taken else None,
        created_at=_moment(taken["created_at"]) if "created_at" in taken else None,
        state=_small_object(taken["state"]) if "state" in taken else None,
    )


def _id(value: Any) -> str:
    if value is None:
        raise _null("id")
    if not isinstance(value, str) or not is_id(value):
        raise _violated("sessions_id_is_a_room_code")
    return value


def _moment(value: Any) -> str:
    if not isinstance(value, str):
        raise RefusedError(400, "22007", f'invalid input syntax for type timestamp with time zone: "{str(value)[:40]}"')
    return timestamp(value)


def _small_object(value: Any) -> str:
    text = _compact(value)
    if not isinstance(value, dict) or len(text.encode()) > _MAX_STATE:
        raise _violated("sessions_state_is_a_small_object")
    return text


def _json(body: bytes) -> Any:
    try:
        return strict_json.loads(body, MAX_BODY)
    except WireError as exc:
        raise _bad_body(str(exc)[:80]) from None


def _is_now(created_at: str, now: datetime) -> bool:
    return abs(datetime.fromisoformat(created_at) - now) <= _CLOCK_SLACK


def _forbidden() -> RefusedError:
    return RefusedError(401, "42501", "permission denied for table sessions")


def _bad_body(reason: str) -> RefusedError:
    return RefusedError(400, "PGRST102", f"Error in $: {reason}")


def _twice() -> RefusedError:
    hint = "Ensure that no rows proposed for insertion within the same command have duplicate constrained values."
    return RefusedError(400, "21000", "ON CONFLICT DO UPDATE command cannot affect row a second time", hint=hint)


def _null(column: str) -> RefusedError:
    message = f'null value in column "{column}" of relation "sessions" violates not-null constraint'
    return RefusedError(400, "23502", message)


def _violated(name: str) -> RefusedError:
    return RefusedError(400, "23514", f'new row for relation "sessions" violates check constraint "{name}"')
