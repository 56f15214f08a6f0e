"""Phoenix channel frames as Supabase Realtime speaks them, versions 1.0.0 and 2.0.0. Pure.

Version 1 is one JSON object a frame. Version 2 is one JSON array, `[join_ref, ref, topic, event, payload]`, and, for
broadcasts, a binary frame: kind 3 from a client, kind 4 from the server, whose payload is JSON or any bytes.

Source: supabase/realtime `lib/realtime_web/socket/v2_serializer.ex`, Phoenix 1.7 `v1/json_serializer.ex`, and the
clients realtime 2.34 (Python, version 1) and realtime-js 2.119 (version 2 unless told otherwise) `lib/serializer.js`.
"""

import json
import struct
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.strict_json import JsonObject

MAX_BYTES = 256 * 1024
"""A broadcast on hosted Supabase; what is longer is refused with a reply."""
MAX_FRAME_BYTES = 2 * MAX_BYTES
"""What is longer is not read, and ends its socket."""
MAX_TEXT = 255  # of a topic, event or ref: their lengths are single bytes in a binary frame

SYSTEM_TOPIC = "phoenix"
TOPIC_PREFIX = "realtime:"
HEARTBEAT = "heartbeat"
JOIN, LEAVE, CLOSE, REPLY = "phx_join", "phx_leave", "phx_close", "phx_reply"
ACCESS_TOKEN = "access_token"  # noqa: S105  an event's name
BROADCAST, PRESENCE, SYSTEM = "broadcast", "presence", "system"
PRESENCE_STATE, PRESENCE_DIFF = "presence_state", "presence_diff"

_PUSH, _BROADCAST = 3, 4
_PUSH_HEADER = struct.Struct("!BBBBBBB")  # kind, lengths of join_ref, ref, topic, event, metadata; encoding
_BROADCAST_HEADER = struct.Struct("!BBBBB")  # kind, lengths of topic, event, metadata; encoding
_BYTES, _JSON = 0, 1
_ELEMENTS = 5


class Version(StrEnum):
    V1 = "1.0.0"
    V2 = "2.0.0"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `ref` numbers a request and its reply; `join_ref` names the join it belongs to."""

    topic: str
    event: str
    payload: JsonObject
    ref: str | None = None
    join_ref: str | None = None
    binary: bool = False
    """A broadcast whose frame is binary in version 2; only then may `payload["payload"]` be bytes."""
    size: int = field(default=0, compare=False)
    """Bytes as it came, 0 for one made here."""


def decode(message: str | bytes, version: Version = Version.V1) -> Frame:
    """Parse one text or binary message of a client.

    Raises:
        WireError: it is no frame of that version, or longer than 512 KiB. Nothing else is raised.
    """
    if len(message) > MAX_FRAME_BYTES:
        raise WireError(f"{len(message)} bytes are more than {MAX_FRAME_BYTES}")
    if isinstance(message, str):
        return _decode_object(message) if version is Version.V1 else _decode_array(message)
    if version is Version.V1:
        raise WireError("version 1.0.0 has no binary frames")
    return _decode_push(message)


def encode(frame: Frame, version: Version = Version.V1) -> str | bytes | None:
    """The message of one frame to a client; None where the version cannot say it, as version 1 cannot say bytes.

    Raises:
        ValueError: the payload holds an infinity or NaN, or a binary frame's topic or event is over 255 bytes.
    """
    if frame.binary and version is Version.V2:
        return _encode_broadcast(frame)
    if frame.binary and isinstance(frame.payload["payload"], bytes):
        return None
    if version is Version.V2:
        return _dumps([frame.join_ref, frame.ref, frame.topic, frame.event, frame.payload])
    return _dumps({"topic": frame.topic, "event": frame.event, "payload": frame.payload, "ref": frame.ref})


def broadcast(topic: str, event: str, payload: JsonObject | bytes, *, binary: bool = False) -> Frame:
    body = {"type": BROADCAST, "event": event, "payload": payload}
    return Frame(topic, BROADCAST, body, binary=binary or isinstance(payload, bytes))


def ok(request: Frame, response: JsonObject | None = None) -> Frame:
    return _reply(request, "ok", response or {})


def error(request: Frame, reason: str) -> Frame:
    return _reply(request, "error", {"reason": reason})


def close(topic: str, join_ref: str | None) -> Frame:
    """The end of the join that was numbered `join_ref`."""
    return Frame(topic, CLOSE, {}, join_ref, join_ref)


def system(topic: str, message: str, join_ref: str | None) -> Frame:
    """Why a channel is about to be closed."""
    channel = topic.removeprefix(TOPIC_PREFIX)
    payload = {"extension": "system", "status": "error", "message": message, "channel": channel}
    return Frame(topic, SYSTEM, payload, None, join_ref)


def _reply(request: Frame, status: str, response: JsonObject) -> Frame:
    return Frame(request.topic, REPLY, {"status": status, "response": response}, request.ref, request.join_ref)


def _decode_object(text: str) -> Frame:
    message = strict_json.loads_object(text, MAX_FRAME_BYTES)
    return _frame([message.get(key) for key in ("join_ref", "ref", "topic", "event", "payload")], len(text))


def _decode_array(text: str) -> Frame:
    message = strict_json.loads(text, MAX_FRAME_BYTES)
    if not isinstance(message, list) or len(message) < _ELEMENTS:
        raise WireError("a frame is an array of five")
    return _frame(message, len(text))


def _frame(elements: list[Any], size: int) -> Frame:
    join_ref, ref, topic, event, payload = elements[:_ELEMENTS]
    if not isinstance(payload, dict):
        raise WireError("a frame's payload is an object")
    return Frame(
        topic=_text(topic, "topic"),
        event=_text(event, "event"),
        payload=payload,
        ref=_reference(ref, "ref"),
        join_ref=_reference(join_ref, "join_ref"),
        size=size,
    )


def _decode_push(message: bytes) -> Frame:
    """A broadcast that a client pushed, kind 3."""
    if len(message) < _PUSH_HEADER.size or message[0] != _PUSH:
        raise WireError("a binary frame is a broadcast pushed, kind 3")
    _, *lengths, encoding = _PUSH_HEADER.unpack_from(message)
    parts, offset = [], _PUSH_HEADER.size
    for length in lengths:
        parts.append(message[offset : offset + length])
        offset += length
    if offset > len(message):
        raise WireError("a binary frame ends within its header")
    body = message[offset:]
    try:
        join_ref, ref, topic, event, metadata = (part.decode() for part in parts)
    except UnicodeDecodeError as exc:
        raise WireError(f"a binary frame's header is no UTF-8: {exc.reason}") from exc
    payload: JsonObject = {
        "type": BROADCAST,
        "event": event,
        "payload": body if encoding == _BYTES else strict_json.loads_object(body, MAX_FRAME_BYTES),
    }
    if metadata:
        payload["meta"] = strict_json.loads_object(metadata, MAX_TEXT)
    return Frame(_text(topic, "topic"), BROADCAST, payload, ref or None, join_ref or None, True, len(message))


def _encode_broadcast(frame: Frame) -> bytes:
    """A broadcast to a client, kind 4."""
    body = frame.payload["payload"]
    encoding = _BYTES if isinstance(body, bytes) else _JSON
    metadata = _dumps(frame.payload["meta"]) if "meta" in frame.payload else ""
    head = [text.encode() for text in (frame.topic, frame.payload["event"], metadata)]
    if max(map(len, head)) > MAX_TEXT:
        raise ValueError(f"topic, event and metadata of a binary frame take at most {MAX_TEXT} bytes each")
    header = _BROADCAST_HEADER.pack(_BROADCAST, *map(len, head), encoding)
    return b"".join((header, *head, body if isinstance(body, bytes) else _dumps(body).encode()))


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise WireError(f"a frame's {name} is a text of 1 to {MAX_TEXT} characters")
    return value


def _reference(value: Any, name: str) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > MAX_TEXT):
        raise WireError(f"a frame's {name} is a text of at most {MAX_TEXT} characters, or null")
    return value
