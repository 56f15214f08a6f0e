"""The query of a request to `/rest/v1/sessions`: PostgREST's language, as much as the supabase clients speak. Pure.

Source: https://docs.postgrest.org/en/v12/references/api/tables_views.html, and PostgREST 12.0.2 asked the same.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from jambridge.errors import WireError

COLUMNS = ("id", "created_at", "state")
MAX_ROWS = 1000  # of one answer, as on hosted Supabase

_MAX_BYTES = 8192
_MAX_PARAMETERS = 32
_MAX_TERMS = 16  # of a select, an order or a path
_MAX_ALIAS = 64  # it is repeated in every row
_MAX_VALUES = 100  # of one `in`
_MAX_WILDCARDS = 4  # each multiplies the work of matching
_MAX_OFFSET = 10**9
_RESERVED = {"select", "order", "limit", "offset", "columns", "on_conflict"}
_COMPARISONS = ("eq", "neq", "gt", "gte", "lt", "lte")
_FIELD = re.compile(r"(?P<column>[A-Za-z_][A-Za-z0-9_]{0,62})(?P<path>(?:->>?[A-Za-z0-9_ -]{1,64}?(?=->|\Z))*)")
_STEP = re.compile(r"(->>?)([A-Za-z0-9_ -]+?)(?=->|\Z)")
_ITEM = re.compile(r'"((?:[^"\\]|\\.)*+)"|([^",()]*+)')
_INDEX = re.compile(r"-?[0-9]{1,4}")


class RefusedError(WireError):
    """A request that gets an error as PostgREST would answer it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: str | None = None,
        hint: str | None = None,
        content_range: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.content_range = content_range
        self.body = {"code": code, "details": details, "hint": hint, "message": message}


@dataclass(frozen=True, slots=True)
class Field:
    """A column, or what a path into `state` leads to, as JSON or as text."""

    column: str
    path: tuple[str | int, ...] = ()
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    field: Field


@dataclass(frozen=True, slots=True)
class Filter:
    field: Field
    operator: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    field: Field
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    outputs: tuple[Output, ...]
    filters: tuple[Filter, ...] = ()
    orders: tuple[Order, ...] = ()
    limit: int = MAX_ROWS
    offset: int = 0
    columns: frozenset[str] | None = None
    """What of a body counts; None is all of it."""


def parse(text: str) -> Query:
    """The part of a URL after `?`, without the apikey.

    Raises:
        RefusedError: PostgREST would refuse it as well, or only the hub cannot do it.
    """
    parameters = _parameters(text)
    given = {name: value for name, value in parameters if name in _RESERVED}
    if given.get("on_conflict", "id") not in ("", "id"):
        raise RefusedError(
            400, "42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification"
        )
    return Query(
        outputs=_outputs(given.get("select", "*")),
        filters=tuple(_filter(name, value) for name, value in parameters if name not in _RESERVED),
        orders=tuple(_order(term) for term in _terms(given.get("order", ""))),
        limit=min(_whole(given.get("limit", ""), MAX_ROWS), MAX_ROWS),
        offset=_whole(given.get("offset", ""), 0),
        columns=_columns(given["columns"]) if "columns" in given else None,
    )


def timestamp(text: str) -> str:
    """A moment as the database keeps it: ISO 8601 with microseconds, in UTC.

    Raises:
        RefusedError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text[:64])
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        message = f'invalid input syntax for type timestamp with time zone: "{text[:64]}"'
        raise RefusedError(400, "22007", message) from None
    return moment.isoformat(timespec="microseconds")


def no_column(name: str) -> RefusedError:
    return RefusedError(400, "42703", f"column sessions.{name[:64]} does not exist")


def _parameters(text: str) -> list[tuple[str, str]]:
    if len(text) > _MAX_BYTES:
        raise RefusedError(414, "PGRST100", f"the query is longer than {_MAX_BYTES} characters")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS, errors="strict")
    except ValueError:  # too many, or no UTF-8
        raise _malformed("the query") from None
    return [(name, value) for name, value in pairs if name != "apikey"]


def _outputs(text: str) -> tuple[Output, ...]:
    outputs: list[Output] = []
    for term in _terms(text) or ["*"]:
        if term == "*":
            outputs += [Output(column, Field(column)) for column in COLUMNS]
            continue
        if "::" in term:
            raise RefusedError(400, "PGRST100", "the hub takes no casts")
        alias, colon, rest = term.rpartition(":")
        if len(alias) > _MAX_ALIAS:
            raise _malformed(term)
        field = _field(rest if colon else term)
        named = [step for step in field.path if isinstance(step, str)]
        outputs.append(Output(alias or (named[-1] if named else field.column), field))
    return tuple(outputs)


def _terms(text: str) -> list[str]:
    terms = [term.strip() for term in text.split(",") if term.strip()]
    if len(terms) > _MAX_TERMS:
        raise _malformed(f"a list of {len(terms)}")
    return terms


def _field(text: str) -> Field:
    if "(" in text:
        relation = text.partition("(")[0][:64]
        details = (
            f"Searched for a foreign key relationship between 'sessions' and '{relation}' in the schema 'public', "
            "but no matches were found."
        )
        raise RefusedError(
            400,
            "PGRST200",
            f"Could not find a relationship between 'sessions' and '{relation}' in the schema cache",
            details,
        )
    match = _FIELD.fullmatch(text)
    if match is None:
        raise _malformed(text)
    if match["column"] not in COLUMNS:
        raise no_column(match["column"])
    steps = _STEP.findall(match["path"])
    if steps and match["column"] != "state":
        raise RefusedError(404, "42883", f"operator does not exist: {match['column']} {steps[0][0]} unknown")
    if len(steps) > _MAX_TERMS or any(arrow == "->>" for arrow, _ in steps[:-1]):
        raise _malformed(text)
    path = tuple(int(step) if _INDEX.fullmatch(step) else step for _, step in steps)
    return Field(match["column"], path, as_text=bool(steps) and steps[-1][0] == "->>")


def _filter(name: str, text: str) -> Filter:
    if name in ("or", "and", "not.or", "not.and"):
        raise RefusedError(400, "PGRST100", f"the hub takes no {name}: filters are joined with and")
    field = _field(name)
    negated = text.startswith("not.")
    operator, dot, value = text.removeprefix("not.").partition(".")
    if not dot:
        raise _malformed(text)
    return Filter(field, operator, _values(field, operator, value), negated)


def _values(field: Field, operator: str, value: str) -> tuple[str, ...]:
    is_text = field.column == "id" or field.as_text
    match operator:
        case "is":
            if value.lower() not in ("null", "not_null"):
                raise _malformed(f"is.{value}")
            return (value.lower(),)
        case "like" | "ilike" if field.column == "id":
            pattern = value.replace("*", "%")
            if len(pattern) > 64 or pattern.count("%") > _MAX_WILDCARDS:  # noqa: PLR2004  ids have 10 at most
                raise _malformed(f"{operator}.{value}")
            return (pattern,)
        case "in":
            values = _list(value)
        case _ if operator in _COMPARISONS:
            values = (value,)
        case _:
            raise _malformed(f"{operator}.{value}")
    if not is_text and field.column == "created_at":
        return tuple(map(timestamp, values))
    return values


def _list(text: str) -> tuple[str, ...]:
    if not (text.startswith("(") and text.endswith(")")):
        raise _malformed(f"in.{text}")
    inside, values, at = text[1:-1], [], 0
    while inside:
        match = _ITEM.match(inside, at)
        assert match is not None  # noqa: S101  the second alternative takes nothing
        values.append(match[2] if match[1] is None else re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL))
        at = match.end()
        if at == len(inside):
            break
        if inside[at] != "," or len(values) >= _MAX_VALUES:
            raise _malformed(f"in.{text}")
        at += 1
    return tuple(values)


def _order(term: str) -> Order:
    name, *words = term.split(".")
    descending = "desc" in words
    if len(words) > 2 or not set(words) <= {"asc", "desc", "nullsfirst", "nullslast"}:  # noqa: PLR2004
        raise _malformed(term)
    nulls_first = "nullsfirst" in words or (descending and "nullslast" not in words)
    return Order(_field(name), descending, nulls_first)


def _columns(text: str) -> frozenset[str]:
    names = frozenset(term.strip('"') for term in _terms(text))
    for name in sorted(names - set(COLUMNS)):
        raise unknown_in_body(name)
    return names


def unknown_in_body(name: str) -> RefusedError:
    return RefusedError(400, "PGRST204", f"Column '{name[:64]}' of relation 'sessions' does not exist")


def _whole(text: str, default: int) -> int:
    """What is no number is passed over, as PostgREST does; a negative one is refused."""
    if re.fullmatch(r"-[0-9]+", text):
        details = "Limit should be greater than or equal to zero."
        raise RefusedError(416, "PGRST103", "Requested range not satisfiable", details)
    return min(int(text), _MAX_OFFSET) if re.fullmatch(r"[0-9]{1,18}", text) else default


def _malformed(text: str) -> RefusedError:
    return RefusedError(400, "PGRST100", f'"failed to parse ({text[:80]})" (line 1, column 1)')
