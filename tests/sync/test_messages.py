import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.sync import messages
from jambridge.sync.messages import Ping, Pong

ids = st.integers(-(2**53), 2**53) | st.text(max_size=64)
times = st.floats(-messages.MAX_MS, messages.MAX_MS)


@given(ids, times)
def test_a_ping_survives(name: str | int, t1: float) -> None:
    assert messages.decode(messages.encode(Ping(name, t1))) == Ping(name, t1)


@given(ids, times, times, times, times)
def test_a_pong_survives(name: str | int, t1: float, t2: float, t3: float, room: float) -> None:
    pong = Pong(name, t1, t2, t3, room)

    assert messages.decode(messages.encode(pong)) == pong


def test_the_pong_of_the_contract_has_no_room() -> None:
    text = '{"type": "pong", "id": "a", "t1": 1, "t2": 2.5, "t3": 3, "more": []}'

    assert messages.decode(text) == Pong("a", 1, 2.5, 3, 0)


def test_another_kind_is_none_of_ours() -> None:
    assert messages.decode('{"type": "led", "sequence": 1, "rgb": ""}') is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type": 1}',
        '{"type": "ping", "id": 1}',
        '{"type": "ping", "id": 1, "t1": NaN}',
        '{"type": "ping", "id": 1, "t1": 1e999}',
        '{"type": "ping", "id": 1, "t1": 1e14}',
        '{"type": "ping", "id": 1, "t1": true}',
        '{"type": "ping", "id": 1, "t1": "1"}',
        '{"type": "ping", "id": null, "t1": 1}',
        '{"type": "ping", "id": "' + "x" * 65 + '", "t1": 1}',
        '{"type": "pong", "id": 1, "t1": 1, "t2": 1}',
        '{"type": "pong", "id": 1, "t1": 1, "t2": 1, "t3": 1, "room": []}',
        '{"type": "ping", "id": 1, "t1": 1, "more": "' + "x" * messages.MAX_BYTES + '"}',
    ],
)
def test_what_is_malformed_is_a_wire_error(text: str) -> None:
    with pytest.raises(WireError):
        messages.decode(text)


@given(st.text() | st.dictionaries(st.sampled_from(["type", "id", "t1", "t2"]), st.none() | st.floats()).map(str))
def test_any_text_is_a_message_or_a_wire_error(text: str) -> None:
    with contextlib.suppress(WireError):
        messages.decode(text)
