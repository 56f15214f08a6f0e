import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.light import shared
from jambridge.light.shared import Led

colours = st.binary(min_size=3, max_size=3 * shared.MOST).map(lambda one: one[: len(one) // 3 * 3])


@given(colours, st.integers(0, 2**53 - 1), st.none() | st.integers(-(10**9), 10**9))
def test_both_ways_bring_the_same_colours(one: bytes, sequence: int, at_ms: int | None) -> None:
    led = Led(one, sequence, None if at_ms is None else at_ms / 1000)
    text = shared.encode_text(led)

    assert len(text.encode()) <= shared.MAX_BYTES
    assert shared.decode_text(text) == led
    assert shared.parse_payload(shared.payload(led)) == led


def test_they_are_stretched_over_any_strip() -> None:
    picture = shared.stretched(bytes([255, 0, 0, 0, 0, 255]), 5)

    assert picture.tolist() == [[1, 0, 0]] * 3 + [[0, 0, 1]] * 2
    assert shared.rgb(shared.stretched(bytes(range(30)), 10)) == bytes(range(30))
    assert shared.rgb(np.array([[2.0, -1.0, 0.5]], np.float32)) == bytes([255, 0, 128])


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"colors": []},
        {"colors": [{"r": 0, "g": 0, "b": 0}] * 129},
        {"colors": [{"r": 256, "g": 0, "b": 0}]},
        {"colors": [{"r": True, "g": 0, "b": 0}]},
        {"colors": [{"r": 1.0, "g": 0, "b": 0}]},
        {"colors": ["red"]},
        {"colors": [{"r": 0, "g": 0, "b": 0}], "sequence": -1},
        {"colors": [{"r": 0, "g": 0, "b": 0}], "sequence": "1"},
        {"colors": [{"r": 0, "g": 0, "b": 0}], "at": "now"},
        {"colors": [{"r": 0, "g": 0, "b": 0}], "at": True},
        {"colors": [{"r": 0, "g": 0, "b": 0}], "at": float("inf")},
    ],
)
def test_what_is_no_update_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(WireError):
        shared.parse_payload(said)


@given(st.text() | st.sampled_from(['{"type":"led"}', '{"type":"led","rgb":"AA=="}', '{"type":"led","rgb":"AAA!"}']))
def test_any_text_is_colours_something_else_or_a_wire_error(text: str) -> None:
    with contextlib.suppress(WireError):
        assert shared.decode_text(text) is None
