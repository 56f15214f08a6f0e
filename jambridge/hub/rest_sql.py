"""The SQL of a request to `/rest/v1/sessions`, for SQLite. Pure. What a client wrote is in the parameters only."""

import json
from collections.abc import Sequence

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.hub.rest_query import Field, Filter, Order, Query, RefusedError

Parameter = str | int | float
_SYMBOLS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_MAX_JSON = 1024

STORED = "id, created_at, CASE WHEN json_valid(state) THEN state ELSE 'null' END"
"""What cannot be read any more is no state, and no reason to hide the other rows."""
_WITHOUT_STATE = "id, created_at, 'null'"


def rows(query: Query) -> tuple[str, list[Parameter]]:
    """Select id, created_at and, if it is asked for, state of the rows."""
    where, parameters = condition(query.filters)
    order = [_order(term, parameters) for term in query.orders]
    by = f" ORDER BY {', '.join(order)}" if order else ""
    columns = STORED if any(output.field.column == "state" for output in query.outputs) else _WITHOUT_STATE
    statement = f"SELECT {columns} FROM sessions WHERE {where}{by} LIMIT ? OFFSET ?"  # noqa: S608
    return statement, [*parameters, query.limit, query.offset]


def count(query: Query) -> tuple[str, list[Parameter]]:
    where, parameters = condition(query.filters)
    return f"SELECT count(*) FROM sessions WHERE {where}", parameters  # noqa: S608  no word of it is a client's


def condition(filters: Sequence[Filter]) -> tuple[str, list[Parameter]]:
    """All filters as one expression."""
    parameters: list[Parameter] = []
    terms = [_term(filter_, parameters) for filter_ in filters]
    return " AND ".join(terms) or "1", parameters


def _term(filter_: Filter, parameters: list[Parameter]) -> str:
    term = _positive(filter_, parameters)
    return f"NOT ({term})" if filter_.negated else f"({term})"


def _positive(filter_: Filter, parameters: list[Parameter]) -> str:
    match filter_.operator:
        case "is":
            expression = _expression(filter_.field, parameters)
            return f"{expression} IS {'NOT ' if filter_.values[0] == 'not_null' else ''}NULL"
        case "like":
            parameters.append(_glob(filter_.values[0]))
            return "id GLOB ?"
        case "ilike":
            parameters.append(filter_.values[0])
            return "id LIKE ?"
        case "in":
            terms = [_compared(filter_.field, "=", value, parameters) for value in filter_.values]
            return " OR ".join(terms) or "0"
    return _compared(filter_.field, _SYMBOLS[filter_.operator], filter_.values[0], parameters)


def _compared(field: Field, symbol: str, value: str, parameters: list[Parameter]) -> str:
    if field.column == "state" and not field.as_text:
        return _compared_json(field, symbol, value, parameters)
    expression = _expression(field, parameters)
    parameters.append(value)
    return f"{expression} {symbol} ?"


def _compared_json(field: Field, symbol: str, value: str, parameters: list[Parameter]) -> str:
    """Numbers by size, all else only for being equal, as the text that it would be."""
    try:
        wanted = strict_json.loads(value, _MAX_JSON)
    except WireError:
        raise RefusedError(
            400, "22P02", "invalid input syntax for type json", f'Token "{value[:64]}" is invalid.'
        ) from None
    path = _path(field)
    if isinstance(wanted, int | float) and not isinstance(wanted, bool):
        parameters += [path, path, float(wanted)]
        number = "json_type(state, ?) IN ('integer', 'real') AND json_extract(state, ?)"
        return f"(json_valid(state) AND {number} {symbol} ?)"
    if symbol not in ("=", "<>"):
        raise RefusedError(400, "PGRST100", "the hub orders only numbers")
    parameters += [path, json.dumps(wanted, separators=(",", ":"), ensure_ascii=False)]
    return f"(json_valid(state) AND (state -> ?) {symbol} json(?))"


def _expression(field: Field, parameters: list[Parameter]) -> str:
    """A column as it is; what a path leads to as PostgreSQL's `->>` would write it."""
    if field.column != "state":
        return field.column
    parameters += [_path(field)] * 2
    text = (
        "CASE json_type(state, ?) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(state ->> ? AS TEXT) END"
    )
    return f"CASE WHEN json_valid(state) THEN {text} END"


def _path(field: Field) -> str:
    steps = [f'."{step}"' if isinstance(step, str) else _index(step) for step in field.path]
    return "$" + "".join(steps)


def _index(step: int) -> str:
    return f"[{step}]" if step >= 0 else f"[#{step}]"


def _order(order: Order, parameters: list[Parameter]) -> str:
    expression = _expression(order.field, parameters)
    direction = "DESC" if order.descending else "ASC"
    return f"{expression} {direction} NULLS {'FIRST' if order.nulls_first else 'LAST'}"


def _glob(pattern: str) -> str:
    """A LIKE pattern as GLOB, which unlike SQLite's LIKE knows capitals from small letters."""
    translated = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return "".join(translated.get(character, character) for character in pattern)
