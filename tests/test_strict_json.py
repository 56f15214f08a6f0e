"""One parser for everything from outside."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge import strict_json
from jambridge.errors import WireError

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_json_writes_is_read_back(value: object) -> None:
    text = json.dumps(value)
    try:
        assert strict_json.loads(text, 10**6) == value
    except WireError as exc:
        assert "deeper" in str(exc)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_a_value_or_a_wire_error(text: str) -> None:
    with contextlib.suppress(WireError):
        strict_json.loads(text, 10**6)


@given(st.binary())
def test_any_bytes_are_a_value_or_a_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        strict_json.loads(data, 10**6)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        '{"a": 1, "a": 2}',
        "[" * 13 + "]" * 13,
        '{"a":' * 100_000,
        "1" * 21,
        '"' + '\\"' * 100_000,
        "[]" * 100_000,
        '"\\ud800',
    ],
    ids=lambda text: text[:12],
)
def test_hostile_json_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        strict_json.loads(text, 10**6)


def test_brackets_inside_texts_are_not_depth() -> None:
    assert strict_json.loads(json.dumps(["[" * 50, '"[' * 20]), 1000) == ["[" * 50, '"[' * 20]


def test_more_bytes_than_allowed_are_refused_unread() -> None:
    with pytest.raises(WireError, match="more than"):
        strict_json.loads("[1, 2]", 3)
