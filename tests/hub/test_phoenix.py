"""Frames of the wire 1.0.0."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.hub import phoenix
from jambridge.hub.phoenix import Frame

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
numbers = st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
payloads = st.dictionaries(texts, values, max_size=3)
frames = st.builds(Frame, texts, texts, payloads, st.none() | texts, st.none() | texts)


def nesting(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(nesting, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(nesting, value), default=0)
    return 0


def test_a_join_of_the_python_client_is_understood() -> None:
    text = (
        '{"event":"phx_join","payload":{"config":{"broadcast":null,"presence":{"key":"p1","enabled":true},'
        '"private":false,"postgres_changes":[]},"access_token":"k"},"topic":"realtime:room:X","ref":"1","join_ref":"1"}'
    )

    frame = phoenix.decode(text)

    assert (frame.topic, frame.event, frame.ref, frame.join_ref) == ("realtime:room:X", "phx_join", "1", "1")
    assert frame.payload["config"]["presence"] == {"key": "p1", "enabled": True}


def test_a_servers_frame_says_null_for_no_ref_and_nothing_for_no_join_ref() -> None:
    text = phoenix.encode(Frame("realtime:room:X", "presence_state", {}))

    assert text == '{"topic":"realtime:room:X","event":"presence_state","payload":{},"ref":null}'


@given(frames.filter(lambda frame: nesting(frame.payload) < 12))
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    assert phoenix.decode(phoenix.encode(frame)) == frame


@given(
    st.text()
    | values.map(json.dumps)
    | st.dictionaries(st.sampled_from(["topic", "event", "payload", "ref"]), values).map(json.dumps)
)
def test_any_text_is_a_frame_or_a_wire_error(text: str) -> None:
    with contextlib.suppress(WireError):
        phoenix.encode(phoenix.decode(text))


@pytest.mark.parametrize(
    "message",
    [
        [],
        {"topic": "t", "event": "e"},
        {"topic": "t", "event": "e", "payload": []},
        {"topic": "", "event": "e", "payload": {}},
        {"topic": "t" * 257, "event": "e", "payload": {}},
        {"topic": "t", "event": 7, "payload": {}},
        {"topic": "t", "event": "e", "payload": {}, "ref": 1},
        {"topic": "t", "event": "e", "payload": {"text": "x" * phoenix.MAX_BYTES}},
    ],
    ids=lambda message: json.dumps(message)[:40],
)
def test_what_is_no_frame_is_refused(message: object) -> None:
    with pytest.raises(WireError):
        phoenix.decode(json.dumps(message))


def test_half_a_character_is_refused_since_no_client_could_read_it() -> None:
    with pytest.raises(WireError):
        phoenix.decode('{"topic":"t","event":"e","payload":{"name":"\\ud83d"}}')
    assert phoenix.decode('{"topic":"t","event":"e","payload":{"name":"\\ud83d\\ude00"}}').payload == {"name": "😀"}


def test_a_number_beyond_a_float_is_refused_since_it_could_not_be_sent_on() -> None:
    with pytest.raises(WireError):
        phoenix.decode('{"topic":"t","event":"e","payload":{"tempo":1e999}}')
