"""What members say about the room's state and its host, in and out. Pure.

Source: the project's wire contract, "Room". Additive here: `author` of a field that is said again, `state` and
`standing` in a digest, `fields` and `targetPeerId` in a request, `hostOnly` where only the host changes anything, which
a browser has from its host alone and a bridge from its configuration.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jambridge.errors import WireError
from jambridge.room.hosting import Standing
from jambridge.room.messages import MAX_TEXT, Broadcast
from jambridge.room.state import FIELDS, MOST_OTHERS, RoomState, Stamp, checked, checked_other, checked_stamp
from jambridge.strict_json import JsonObject
from jambridge.units import PeerId

EVENT_OF = {
    "tempo": "tempo-change",
    "key": "key-change",
    "scale": "scale-change",
    "colorMode": "color-mode-change",
    "isPlaying": "playback-control",
}
FIELD_OF = {event: name for name, event in EVENT_OF.items()}
REQUEST, SYNC, DIGEST, HOST_CHANGE = "state-request", "state-sync", "state-digest", "host-change"
EVENTS = frozenset((*FIELD_OF, REQUEST, SYNC, DIGEST, HOST_CHANGE))


@dataclass(frozen=True, slots=True)
class Change:
    """One field; without a stamp it comes from an older browser."""

    field: str
    value: object
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A `state-sync`, or a `state-digest`, which need not carry values."""

    target: PeerId | None
    host: PeerId | None
    standing: Standing
    values: Mapping[str, object]
    stamps: Mapping[str, Stamp]


@dataclass(frozen=True, slots=True)
class Request:
    """`target` is the only one asked, if there is one."""

    target: PeerId | None


@dataclass(frozen=True, slots=True)
class HostChange:
    host: PeerId
    standing: Standing


def parse(event: str, payload: Mapping[str, Any], sender: PeerId) -> Change | Snapshot | Request | HostChange:
    """Any of EVENTS; WireError for nonsense."""
    if event in FIELD_OF:
        return _change(FIELD_OF[event], payload, sender)
    if event in (SYNC, DIGEST):
        return _snapshot(payload)
    if event == REQUEST:
        return Request(_peer(payload.get("targetPeerId")))
    if event == HOST_CHANGE and (host := _peer(payload.get("hostId"))):
        return HostChange(host, _standing(payload))
    raise WireError(f"no statement about the state: {event[:20]}")


def change(state: RoomState, name: str, sender: PeerId) -> Broadcast:
    """One field as it is."""
    stamp = state.stamp(name)
    payload: JsonObject = {name: state.values()[name], "revision": stamp.revision}
    return Broadcast(EVENT_OF[name], payload if stamp.author == sender else payload | {"author": stamp.author})


def sync(
    state: RoomState, host: PeerId | None, standing: Standing, target: PeerId, *, host_only: bool = False
) -> Broadcast:
    return Broadcast(SYNC, {"targetPeerId": target} | _body(state, host, standing, host_only=host_only))


def digest(state: RoomState, host: PeerId, standing: Standing, *, host_only: bool = False) -> Broadcast:
    return Broadcast(DIGEST, _body(state, host, standing, host_only=host_only))


def request(*, fields: tuple[str, ...] = (), target: PeerId | None = None) -> Broadcast:
    payload: JsonObject = {"fields": list(fields)} if fields else {}
    return Broadcast(REQUEST, payload | ({"targetPeerId": target} if target else {}))


def host_change(host: PeerId, standing: Standing) -> Broadcast:
    return Broadcast(HOST_CHANGE, {"hostId": host, "standing": int(standing)})


def _body(state: RoomState, host: PeerId | None, standing: Standing, *, host_only: bool) -> JsonObject:
    body: JsonObject = {
        "hostId": host,
        "standing": int(standing),
        "state": {**state.others, **state.values()},
        "stamps": {name: list(stamp) for name, stamp in state.stamps.items()},
    }
    return body | {"hostOnly": True} if host_only else body


def _change(name: str, payload: Mapping[str, Any], sender: PeerId) -> Change:
    value, revision = checked(name, payload.get(name)), payload.get("revision")
    stamp = None if revision is None else checked_stamp([revision, payload.get("author", sender)])
    return Change(name, value, stamp)


def _snapshot(payload: Mapping[str, Any]) -> Snapshot:
    state, stamps = payload.get("state", {}), payload.get("stamps", {})
    if not isinstance(state, dict) or not isinstance(stamps, dict):
        raise WireError("a state and its stamps are objects")
    names = [*(name for name in FIELDS if name in state), *itertools.islice(_unknown(state), MOST_OTHERS)]
    values = {
        name: checked(name, state[name]) if name in FIELDS else checked_other(name, state[name]) for name in names
    }
    stamped = [name for name in stamps if name in FIELDS or name in values]
    return Snapshot(
        _peer(payload.get("targetPeerId")),
        _peer(payload.get("hostId")),
        _standing(payload),
        values,
        {name: checked_stamp(stamps[name]) for name in stamped},
    )


def _unknown(state: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in state if name not in FIELDS)


def _standing(payload: Mapping[str, Any]) -> Standing:
    """Who does not say is taken for elected."""
    value = payload.get("standing")
    return Standing(value) if type(value) is int and value in tuple(Standing) else Standing.ELECTED


def _peer(value: object) -> PeerId | None:
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise WireError(f"an id is a text of at most {MAX_TEXT} characters")
    return PeerId(value)
