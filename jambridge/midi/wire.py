"""Texts of the `midi` and `sysex` data channels. Pure.

Source: the project's wire contract, "Data channels": `{seq, time, data, journal: {events: [[seq, time, data]], held:
[[channel, note, velocity]]}}`, `time` in milliseconds of room time; without `data` it is the journal alone. Ours also
have `journal.pedals: [[channel, controller, value]]`, and `alive`: while anything is held, another message comes within
so many milliseconds. Channels are 0..15.
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.midi import message as midi
from jambridge.midi.message import MAX_SYSEX, SYSEX, SYSEX_END
from jambridge.units import RoomSeconds

MAX_BYTES = 4096
MAX_SYSEX_BYTES = 8192
MOST_EVENTS = 16
MOST_HELD = 128
CHUNK_BYTES = 4096
MOST_CHUNKS = MAX_SYSEX // CHUNK_BYTES
_NOT_DATA = 0x80
_LONGEST = 3  # bytes of a channel message
HIGHEST_SEQUENCE = 2**53 - 1  # what JavaScript counts exactly
MAX_MS = 1e13
_MOST_ALIVE_MS = 10_000
_MOST_ID = 64
Key = tuple[int, int]
"""Channel and note, or channel and controller."""


@dataclass(frozen=True, slots=True)
class Event:
    """One channel message of a peer; `sequence` counts its messages."""

    sequence: int
    at: RoomSeconds
    message: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """What one text says. `held` and `pedals`: None where it does not say."""

    sequence: int
    events: Sequence[Event]
    """Those of the journal and then its own, by sequence."""
    held: Mapping[Key, int] | None = None
    pedals: Mapping[Key, int] | None = None
    alive_s: float | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a system exclusive; `id` tells messages of one peer apart."""

    id: str | int
    index: int
    count: int
    data: bytes


def encode(packet: Packet, now: RoomSeconds, *, is_alone: bool = False) -> str:
    """The newest of its events is the text's own, unless the journal `is_alone`."""
    own = None if is_alone or not packet.events else packet.events[-1]
    journal: dict[str, object] = {"events": [_event(one) for one in packet.events if one is not own]}
    for name, keys in (("held", packet.held), ("pedals", packet.pedals)):
        if keys is not None:
            journal[name] = [[*key, value] for key, value in keys.items()]
    content: dict[str, object] = {"seq": packet.sequence, "time": _ms(own.at if own else now)}
    if own is not None:
        content["data"] = list(own.message)
    content["journal"] = journal
    if packet.alive_s is not None:
        content["alive"] = round(packet.alive_s * 1000)
    return json.dumps(content, separators=(",", ":"))


def decode(text: str) -> Packet:
    """Raises WireError, and nothing else, if it is malformed."""
    content = strict_json.loads_object(text, MAX_BYTES)
    sequence, data = _sequence(content.get("seq")), content.get("data")
    journal = content.get("journal", {})
    if not isinstance(journal, dict):
        raise WireError("a journal is an object")
    at = _seconds(content.get("time"))
    events = {one.sequence: one for one in map(_read_event, _list(journal.get("events", []), MOST_EVENTS))}
    if data not in (None, []):
        events[sequence] = Event(sequence, at, midi.checked(_list(data, _LONGEST)))
    if any(number > sequence for number in events):
        raise WireError("a journal tells of what has been")
    held, pedals = (_keys(journal[name]) if name in journal else None for name in ("held", "pedals"))
    return Packet(sequence, [events[number] for number in sorted(events)], held, pedals, _alive(content.get("alive")))


def encode_chunk(chunk: Chunk) -> str:
    data = base64.b64encode(chunk.data).decode()
    return json.dumps({"id": chunk.id, "index": chunk.index, "count": chunk.count, "data": data})


def decode_chunk(text: str) -> Chunk:
    """Raises WireError, and nothing else, if it is malformed."""
    content = strict_json.loads_object(text, MAX_SYSEX_BYTES)
    number, data = content.get("id"), content.get("data")
    index, count = _sequence(content.get("index")), _sequence(content.get("count"))
    if not isinstance(number, str | int) or isinstance(number, bool) or len(str(number)) > _MOST_ID:
        raise WireError("a system exclusive has an id")
    if not index < count <= MOST_CHUNKS or not isinstance(data, str):
        raise WireError("a part of a system exclusive says which of how many it is")
    try:
        part = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise WireError("no base64") from exc
    if not 0 < len(part) <= CHUNK_BYTES:
        raise WireError(f"a part of {len(part)} bytes")
    return Chunk(number, index, count, part)


def chunks(number: int, sysex: bytes) -> list[Chunk]:
    """A whole system exclusive in parts; it is at most MAX_SYSEX long."""
    parts = [sysex[start : start + CHUNK_BYTES] for start in range(0, len(sysex), CHUNK_BYTES)]
    return [Chunk(number, index, len(parts), part) for index, part in enumerate(parts)]


class Assembly:
    """A peer's system exclusives from its parts, which come in order, one message after another."""

    def __init__(self) -> None:
        self.dropped = 0
        self._id: str | int | None = None
        self._count = 0
        self._parts: list[bytes] = []

    def take(self, chunk: Chunk) -> bytes | None:
        """A whole message, once this was its last part."""
        if chunk.index == 0:
            self.dropped += bool(self._parts)
            self._id, self._count, self._parts = chunk.id, chunk.count, []
        if (chunk.id, chunk.count, chunk.index) != (self._id, self._count, len(self._parts)):
            self.dropped += 1
            return None
        self._parts.append(chunk.data)
        if len(self._parts) < self._count:
            return None
        whole, self._parts = b"".join(self._parts), []
        if whole[0] != SYSEX or whole[-1] != SYSEX_END or max(whole[1:-1], default=0) >= _NOT_DATA:
            self.dropped += 1
            return None
        return whole


def _event(event: Event) -> list[object]:
    return [event.sequence, _ms(event.at), list(event.message)]


def _read_event(value: object) -> Event:
    match value:
        case [sequence, at, list() as data]:
            return Event(_sequence(sequence), _seconds(at), midi.checked(data))
    raise WireError("an event of a journal is a sequence, a time and a message")


def _keys(value: object) -> Mapping[Key, int]:
    keys: dict[Key, int] = {}
    for one in _list(value, MOST_HELD):
        match one:
            case [int() as channel, int() as number, int() as held]:
                checked = midi.checked([midi.NOTE_ON | channel if channel in midi.CHANNELS else -1, number, held])
                keys[channel, checked[1]] = held
            case _:
                raise WireError("what is held is a channel, a note or controller, and how much")
    return keys


def _list(value: object, most: int) -> list[object]:
    if not isinstance(value, list) or len(value) > most:
        raise WireError(f"a list of at most {most} was expected")
    return value


def _sequence(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= HIGHEST_SEQUENCE:
        return value
    raise WireError("a sequence is a whole number")


def _seconds(value: object) -> RoomSeconds:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > MAX_MS:
        raise WireError("a time is a number of milliseconds")
    return RoomSeconds(value / 1000)


def _alive(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST_ALIVE_MS:
        raise WireError("alive is a number of milliseconds")
    return value / 1000


def _ms(at: RoomSeconds) -> float:
    return round(at * 1000, 1)
