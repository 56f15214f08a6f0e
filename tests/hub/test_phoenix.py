"""Frames of the wire, both versions."""

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.hub import phoenix
from jambridge.hub.phoenix import Frame, Version

V1, V2 = Version.V1, Version.V2
TOPIC = "realtime:room:X"

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
numbers = st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
payloads = st.dictionaries(texts, values, max_size=3)
references = st.none() | texts
frames = st.builds(Frame, texts, texts, payloads, references, references)


def nesting(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(nesting, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(nesting, value), default=0)
    return 0


def pushed(topic: str, event: str, payload: bytes, *, encoding: int = 1, meta: bytes = b"", ref: str = "") -> bytes:
    """A client's binary frame, as realtime-js 2.119 writes it: the join_ref is 7."""
    parts = [b"7", ref.encode(), topic.encode(), event.encode(), meta]
    return bytes([3, *map(len, parts), encoding]) + b"".join(parts) + payload


def test_a_join_of_the_python_client_is_understood() -> None:
    text = (
        '{"event":"phx_join","payload":{"config":{"broadcast":null,"presence":{"key":"p1","enabled":true},'
        '"private":false,"postgres_changes":[]},"access_token":"k"},"topic":"realtime:room:X","ref":"1","join_ref":"1"}'
    )

    frame = phoenix.decode(text)

    assert (frame.topic, frame.event, frame.ref, frame.join_ref) == (TOPIC, "phx_join", "1", "1")
    assert frame.payload["config"]["presence"] == {"key": "p1", "enabled": True}
    assert frame.size == len(text)


def test_a_heartbeat_of_the_javascript_client_is_understood() -> None:
    assert phoenix.decode('[null,"3","phoenix","heartbeat",{}]', V2) == Frame("phoenix", "heartbeat", {}, "3")


def test_a_servers_frame_of_version_1_says_null_for_no_ref_and_nothing_of_the_join() -> None:
    text = phoenix.encode(Frame(TOPIC, "presence_state", {}, None, "4"), V1)

    assert text == '{"topic":"realtime:room:X","event":"presence_state","payload":{},"ref":null}'


def test_a_servers_frame_of_version_2_is_an_array_of_five() -> None:
    reply = phoenix.ok(Frame(TOPIC, "broadcast", {}, "5", "4"))

    assert phoenix.encode(reply, V2) == '["4","5","realtime:room:X","phx_reply",{"status":"ok","response":{}}]'
    closed = phoenix.encode(phoenix.close(TOPIC, "4"), V2)
    assert closed == '["4","4","realtime:room:X","phx_close",{}]'


def test_a_binary_broadcast_is_read_by_its_bytes() -> None:
    # kind, five lengths, encoding; join_ref, ref, topic, event, metadata; payload
    message = (
        bytes.fromhex("03 01 02 0b 02 0d 01") + b"1" + b"34" + b"realtime:ro" + b"hi" + b'{"persist":1}' + b'{"a":1}'
    )

    frame = phoenix.decode(message, V2)

    body = {"type": "broadcast", "event": "hi", "payload": {"a": 1}, "meta": {"persist": 1}}
    assert frame == Frame("realtime:ro", "broadcast", body, "34", "1", binary=True)


def test_a_binary_broadcast_is_written_by_its_bytes() -> None:
    told = phoenix.broadcast("realtime:ro", "hi", {"a": 1}, binary=True)
    bare = phoenix.broadcast("realtime:ro", "hi", b"\x00\xff")
    marked = replace(told, payload={**told.payload, "meta": {"id": 1}})

    # kind, lengths of topic, event and metadata; encoding; topic, event, metadata, payload
    assert phoenix.encode(told, V2) == bytes.fromhex("04 0b 02 00 01") + b'realtime:rohi{"a":1}'
    assert phoenix.encode(bare, V2) == bytes.fromhex("04 0b 02 00 00") + b"realtime:rohi\x00\xff"
    assert phoenix.encode(marked, V2) == bytes.fromhex("04 0b 02 08 01") + b'realtime:rohi{"id":1}{"a":1}'


def test_json_of_a_binary_frame_goes_to_version_1_as_text_and_bytes_do_not_go_there() -> None:
    told = phoenix.decode(pushed(TOPIC, "hi", b'{"a":1}'), V2)
    bare = phoenix.decode(pushed(TOPIC, "hi", b'{"a":1}', encoding=0), V2)

    text = phoenix.encode(told, V1)
    assert isinstance(text, str)
    assert json.loads(text)["payload"] == {"type": "broadcast", "event": "hi", "payload": {"a": 1}}
    assert bare.payload["payload"] == b'{"a":1}'
    assert phoenix.encode(bare, V1) is None


@given(frames.filter(lambda frame: nesting(frame.payload) < 12))
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    first, second = phoenix.encode(frame, V1), phoenix.encode(frame, V2)

    assert first is not None and second is not None
    assert phoenix.decode(first, V1) == replace(frame, join_ref=None)
    assert phoenix.decode(second, V2) == frame


@given(texts, texts, payloads.filter(lambda payload: nesting(payload) < 12) | st.binary(), references)
def test_a_push_is_relayed_as_it_came(topic: str, event: str, payload: Any, ref: str | None) -> None:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    encoding = 0 if isinstance(payload, bytes) else 1

    frame = phoenix.decode(pushed(topic, event, body, encoding=encoding, ref=ref or ""), V2)

    assert (frame.topic, frame.ref, frame.join_ref) == (topic, ref, "7")
    assert (frame.payload["event"], frame.payload["payload"]) == (event, payload)
    message = phoenix.encode(frame, V2)
    assert isinstance(message, bytes)
    assert message[:5] == bytes([4, len(topic.encode()), len(event.encode()), 0, encoding])


@given(
    st.sampled_from([V1, V2]),
    st.text()
    | st.binary()
    | st.binary().map(lambda rest: b"\x03" + rest)
    | st.builds(pushed, texts, texts, st.binary(), encoding=st.integers(0, 255), meta=st.binary(max_size=40))
    | values.map(json.dumps)
    | st.lists(values, min_size=4, max_size=6).map(json.dumps)
    | st.dictionaries(st.sampled_from(["topic", "event", "payload", "ref"]), values).map(json.dumps),
)
def test_any_bytes_are_a_frame_or_a_wire_error(version: Version, message: str | bytes) -> None:
    with contextlib.suppress(WireError):
        frame = phoenix.decode(message, version)
        phoenix.encode(frame, V1)
        phoenix.encode(frame, V2)


@pytest.mark.parametrize(
    "message",
    [
        [],
        {"topic": "t", "event": "e"},
        {"topic": "t", "event": "e", "payload": []},
        {"topic": "", "event": "e", "payload": {}},
        {"topic": "t" * 256, "event": "e", "payload": {}},
        {"topic": "t", "event": 7, "payload": {}},
        {"topic": "t", "event": "e", "payload": {}, "ref": 1},
        {"topic": "t", "event": "e", "payload": {"text": "x" * phoenix.MAX_FRAME_BYTES}},
    ],
    ids=lambda message: json.dumps(message)[:40],
)
def test_what_is_no_frame_of_version_1_is_refused(message: object) -> None:
    with pytest.raises(WireError):
        phoenix.decode(json.dumps(message), V1)


@pytest.mark.parametrize(
    "message",
    [
        '{"topic":"t","event":"e","payload":{}}',
        "[]",
        '[null,null,"t","e"]',
        '[null,null,"t","e",[]]',
        '[null,1,"t","e",{}]',
        '[null,null,null,"e",{}]',
        b"",
        b"\x03",
        b"\x03\x00\x00\x01\x01\x00\x01t",
        b"\x03\x00\x00\x01\x01\x00\x01te",
        b"\x03\x00\x00\x01\x01\x00\x01\xffe{}",
        b"\x03\x00\x00\x00\x01\x00\x01e{}",
        b"\x03\x00\x00\x01\x01\x02\x01te[]{}",
        b"\x03\x00\x00\x01\x01\x00\x01te[]",
        b"\x04\x01\x01\x00\x01te{}",
        b"\x00\x00\x00\x01\x01te{}",
    ],
    ids=repr,
)
def test_what_is_no_frame_of_version_2_is_refused(message: str | bytes) -> None:
    with pytest.raises(WireError):
        phoenix.decode(message, V2)


def test_version_1_has_no_binary_frames() -> None:
    with pytest.raises(WireError):
        phoenix.decode(pushed(TOPIC, "hi", b"{}"), V1)


@pytest.mark.parametrize("version", [V1, V2])
def test_half_a_character_is_refused_since_no_client_could_read_it(version: Version) -> None:
    half, whole = (
        f'{{"topic":"t","event":"e","payload":{{"name":"{name}"}}}}'
        if version is V1
        else f'[null,null,"t","e",{{"name":"{name}"}}]'
        for name in ("\\ud83d", "\\ud83d\\ude00")
    )

    with pytest.raises(WireError):
        phoenix.decode(half, version)
    assert phoenix.decode(whole, version).payload == {"name": "😀"}


def test_a_number_beyond_a_float_is_refused_since_it_could_not_be_sent_on() -> None:
    with pytest.raises(WireError):
        phoenix.decode('{"topic":"t","event":"e","payload":{"tempo":1e999}}')


def test_a_binary_frames_names_are_bounded() -> None:
    with pytest.raises(ValueError, match="255"):
        phoenix.encode(phoenix.broadcast(TOPIC, "e" * 256, b""), V2)
