"""What members of a room say to each other: presence and broadcast payloads, in and out. Pure.

Source: the project's wire contract, "Room". Keys on the wire are camelCase; unknown ones are kept out of the way, not
an error.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jambridge.errors import WireError
from jambridge.strict_json import JsonObject
from jambridge.units import PeerId

SIGNAL_EVENT = "webrtc-signal"
HUB_ENDS = "the hub ends"
"""The reason with which a hub closes its connections when it is stopped."""
MAX_TEXT = 64  # characters of a name, id or instrument

_KEY = re.compile(r"[\x21-\x7e]{1,64}")  # ids reach logs and are ordered alike in every language


@dataclass(frozen=True, slots=True)
class Participant:
    """One member as presence shows it. `joined_at` is its own claim, in seconds since 1970."""

    id: PeerId
    name: str
    is_host: bool
    joined_at: float
    instrument: str = "unknown"
    client: str = ""
    sends: bool = True
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What one member says to all others."""

    event: str
    payload: JsonObject


class SignalType(enum.StrEnum):
    OFFER = "offer"
    ANSWER = "answer"
    CANDIDATE = "ice-candidate"
    BYE = "bye"


@dataclass(frozen=True, slots=True)
class Signal:
    """One step of a negotiation. `sender` is None where an older app does not say; `connection` names the attempt."""

    type: SignalType
    target: PeerId
    sender: PeerId | None
    connection: str | None
    data: JsonObject | list[JsonObject]


def parse_participant(key: str, meta: Mapping[str, Any]) -> Participant:
    """One presence meta.

    Raises:
        WireError: it has no usable name, or the key is too long. Other odd fields fall back to their defaults.
    """
    name = meta.get("name")
    if not _KEY.fullmatch(key) or not isinstance(name, str):
        raise WireError("a presence without a name, or with a key that is none")
    instrument, client, sends = meta.get("instrument"), meta.get("client"), meta.get("sends")
    capabilities = meta.get("capabilities")
    return Participant(
        id=PeerId(key),
        name=_one_line(name) or "?",
        is_host=meta.get("isHost") is True,
        joined_at=_timestamp(meta.get("joinedAt")),
        instrument=_one_line(instrument) if isinstance(instrument, str) else "unknown",
        client=_one_line(client) if isinstance(client, str) else "",
        sends=sends if isinstance(sends, bool) else True,
        capabilities=tuple(
            _one_line(entry)
            for entry in (capabilities if isinstance(capabilities, list) else [])[:16]
            if isinstance(entry, str)
        ),
    )


def presence_payload(member: Participant) -> JsonObject:
    return {
        "name": member.name,
        "isHost": member.is_host,
        "joinedAt": datetime.fromtimestamp(member.joined_at, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        "instrument": member.instrument,
        "client": member.client,
        "sends": member.sends,
        "capabilities": list(member.capabilities),
    }


def parse_signal(payload: Mapping[str, Any]) -> Signal:
    """A `webrtc-signal` payload; what `data` holds is the negotiation's business.

    Raises:
        WireError: a field is missing or of the wrong type.
    """
    kind, target, sender = payload.get("type"), payload.get("targetPeerId"), payload.get("fromPeerId")
    connection, data = payload.get("connectionId"), payload.get("data", {})
    try:
        signal_type = SignalType(str(kind))
    except ValueError as exc:
        raise WireError(f"no such signal: {str(kind)[:20]}") from exc
    if not isinstance(target, str) or not isinstance(sender, str | None) or not isinstance(connection, str | None):
        raise WireError("a signal's ids are texts")
    if any(value is not None and len(value) > MAX_TEXT for value in (target, sender, connection)):
        raise WireError("a signal's ids are at most 64 characters")
    if data is None:
        data = {}
    if isinstance(data, list):
        if not all(isinstance(entry, dict) for entry in data):
            raise WireError("a list of candidates holds objects")
    elif not isinstance(data, dict):
        raise WireError("a signal's data is an object")
    return Signal(signal_type, PeerId(target), PeerId(sender) if sender else None, connection, data)


def signal_payload(signal: Signal) -> JsonObject:
    payload: JsonObject = {"type": signal.type.value, "targetPeerId": signal.target, "data": signal.data}
    if signal.sender is not None:
        payload["fromPeerId"] = signal.sender
    if signal.connection is not None:
        payload["connectionId"] = signal.connection
    return payload


def _one_line(text: str) -> str:
    """At most 64 printable characters: these texts reach logs and terminals."""
    return "".join(character if character.isprintable() else " " for character in text[:MAX_TEXT]).strip()


def _timestamp(text: object) -> float:
    """Seconds since 1970 of an ISO 8601 text; infinitely late when it is none, so that it never wins."""
    try:
        moment = datetime.fromisoformat(str(text)[:40])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return float("inf")
