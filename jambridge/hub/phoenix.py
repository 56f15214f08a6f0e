"""Phoenix channel frames as Supabase Realtime speaks them, version 1.0.0: one JSON object each. Pure.

Source: the wire measured against Phoenix 1.7.24 and the supabase clients 2.34 (Python) and 2.109 (JavaScript).
"""

import json
from dataclasses import dataclass

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.strict_json import JsonObject

VERSION = "1.0.0"
MAX_BYTES = 256 * 1024  # a broadcast on hosted Supabase
MAX_TEXT = 256  # characters of a topic, event or ref

SYSTEM_TOPIC = "phoenix"
TOPIC_PREFIX = "realtime:"
HEARTBEAT = "heartbeat"
JOIN, LEAVE, CLOSE, REPLY = "phx_join", "phx_leave", "phx_close", "phx_reply"
ACCESS_TOKEN = "access_token"  # noqa: S105  an event's name
BROADCAST, PRESENCE = "broadcast", "presence"
PRESENCE_STATE, PRESENCE_DIFF = "presence_state", "presence_diff"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `ref` numbers a request and its reply; `join_ref` names the join it belongs to."""

    topic: str
    event: str
    payload: JsonObject
    ref: str | None = None
    join_ref: str | None = None


def decode(text: str) -> Frame:
    """Parse one text message.

    Raises:
        WireError: it is no frame, or longer than 256 KiB. Nothing else is raised.
    """
    message = strict_json.loads_object(text, MAX_BYTES)
    payload = message.get("payload")
    if not isinstance(payload, dict):
        raise WireError("a frame's payload is an object")
    return Frame(
        topic=_text(message, "topic"),
        event=_text(message, "event"),
        payload=payload,
        ref=_reference(message, "ref"),
        join_ref=_reference(message, "join_ref"),
    )


def encode(frame: Frame) -> str:
    """The text of one frame; a server's frames carry no join_ref in this version.

    Raises:
        ValueError: the payload holds an infinity or NaN.
    """
    message: JsonObject = {
        "topic": frame.topic,
        "event": frame.event,
        "payload": frame.payload,
        "ref": frame.ref,
    }
    if frame.join_ref is not None:
        message["join_ref"] = frame.join_ref
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def ok(request: Frame, response: JsonObject | None = None) -> Frame:
    return Frame(request.topic, REPLY, {"status": "ok", "response": response or {}}, request.ref)


def error(request: Frame, reason: str) -> Frame:
    return Frame(request.topic, REPLY, {"status": "error", "response": {"reason": reason}}, request.ref)


def _text(message: JsonObject, key: str) -> str:
    value = message.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise WireError(f"a frame's {key} is a text of 1 to {MAX_TEXT} characters")
    return value


def _reference(message: JsonObject, key: str) -> str | None:
    value = message.get(key)
    if value is not None and (not isinstance(value, str) or len(value) > MAX_TEXT):
        raise WireError(f"a frame's {key} is a text of at most {MAX_TEXT} characters, or null")
    return value
