"""Rows in and out of text: bounded, strict, times in one form."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.store import record

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
states = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), values, max_size=6)


@given(states)
def test_decode_undoes_encode(state: dict[str, Any]) -> None:
    try:
        text = record.encode(state)
    except WireError:  # deeper than can be read again
        return
    assert record.decode(text) == state


@given(st.text() | st.none() | st.binary() | st.integers())
def test_any_column_is_a_state_or_a_wire_error(column: object) -> None:
    with contextlib.suppress(WireError):
        assert isinstance(record.decode(column), dict)


@pytest.mark.parametrize(
    "state",
    [
        {"a": float("nan")},
        {"a": "\ud800"},
        {"a": {1, 2}},
        {"a": "x" * record.MAX_BYTES},
        {"a": 10**30},
        {"a": json.loads("[" * 12 + "]" * 12)},
    ],
)
def test_what_is_no_json_or_too_long_is_not_stored(state: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        record.encode(state)


def test_the_largest_state_allowed_is_stored() -> None:
    assert len(record.encode({"a": "x" * (record.MAX_BYTES - 8)})) == record.MAX_BYTES


def test_times_are_utc_texts_that_sort_as_the_moments_do() -> None:
    early = datetime(2026, 11, 21, 9, 5, 59, tzinfo=timezone(timedelta(hours=2)))
    late = datetime(2026, 11, 21, 9, 5, 59, 123456, UTC)

    assert record.to_text(early) == "2026-11-21T07:05:59.000000+00:00" < record.to_text(late)
    assert record.to_moment(record.to_text(early)) == early


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-11-21T09:05:59", 5, "9999-99-99T00:00:00Z"])
def test_a_time_is_a_time_with_its_zone(text: object) -> None:
    with pytest.raises(WireError):
        record.to_moment(text)
