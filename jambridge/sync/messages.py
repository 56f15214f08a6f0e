"""Texts of the `sync` channel. Pure.

Source: the project's wire contract, "Data channels": `{type: "ping", id, t1}` → `{type: "pong", id, t1, t2, t3}`, in
milliseconds. A pong also carries `room`, the answerer's room time minus its monotonic clock, and `beat`, where the beat
is: `{at, number, tempo, isPlaying}`, `at` in milliseconds of room time.
"""

import json
import math
from dataclasses import dataclass

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.room import state
from jambridge.sync.beat import Beat
from jambridge.units import RoomSeconds

MAX_BYTES = 1024
MAX_MS = 1e13  # three centuries: no clock of a machine that runs
MAX_BEATS = 1e9
_MAX_ID = 64


@dataclass(frozen=True, slots=True)
class Ping:
    """`id` is whatever the pinger knows it by; the answer says the same."""

    id: str | int
    t1_ms: float


@dataclass(frozen=True, slots=True)
class Pong:
    id: str | int
    t1_ms: float
    t2_ms: float
    t3_ms: float
    room_ms: float
    beat: Beat | None = None


def decode(text: str) -> Ping | Pong | None:
    """What `text` says; None for a kind that is not the clock's.

    Raises:
        WireError: it is malformed.
    """
    message = strict_json.loads_object(text, MAX_BYTES)
    match message.get("type"):
        case "ping":
            return Ping(_id(message.get("id")), _ms(message.get("t1")))
        case "pong":
            t1, t2, t3 = (_ms(message.get(name)) for name in ("t1", "t2", "t3"))
            beat = _beat(message["beat"]) if "beat" in message else None
            return Pong(_id(message.get("id")), t1, t2, t3, _ms(message.get("room", 0)), beat)
        case str():
            return None
    raise WireError("a message of the sync channel has a type")


def encode(message: Ping | Pong) -> str:
    if isinstance(message, Ping):
        return json.dumps({"type": "ping", "id": message.id, "t1": message.t1_ms})
    times = {"t1": message.t1_ms, "t2": message.t2_ms, "t3": message.t3_ms, "room": message.room_ms}
    beat = {"beat": _beat_object(message.beat)} if message.beat else {}
    return json.dumps({"type": "pong", "id": message.id, **times, **beat})


def _beat_object(beat: Beat) -> dict[str, object]:
    return {"at": beat.at * 1000, "number": beat.number, "tempo": beat.tempo, "isPlaying": beat.is_playing}


def _beat(value: object) -> Beat:
    match value:
        case {"at": at, "number": int() | float() as number, "tempo": tempo, "isPlaying": bool() as is_playing}:
            if math.isfinite(number) and abs(number) <= MAX_BEATS:
                checked = state.checked("tempo", tempo)
                return Beat(RoomSeconds(_ms(at) / 1000), float(number), checked, is_playing)
    raise WireError("a beat is a moment, its number, a tempo and whether it plays")


def _id(value: object) -> str | int:
    if isinstance(value, str) and len(value) <= _MAX_ID:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise WireError("a ping has an id")


def _ms(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > MAX_MS:
        raise WireError("a time is a number of milliseconds")
    return float(value)
