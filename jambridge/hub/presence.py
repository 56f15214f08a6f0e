"""Who is in one room: members, what they tracked, and the frames that show it. Pure.

Source: Phoenix.Presence as measured: a meta is the tracked payload with `phx_ref`, and `phx_ref_prev` after a change.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NewType

from jambridge.hub import phoenix
from jambridge.hub.phoenix import Frame
from jambridge.strict_json import JsonObject

SocketId = NewType("SocketId", int)
Deliveries = list[tuple[SocketId, Frame]]

_RESERVED = frozenset({"phx_ref", "phx_ref_prev", "presence_ref"})  # theirs would break the clients that rename ours


@dataclass(slots=True)
class Member:
    """One joined socket and what its join asked for."""

    socket: SocketId
    key: str
    join_ref: str | None
    hears_itself: bool
    wants_acks: bool
    sees_presence: bool
    tracked: JsonObject | None = None
    meta: JsonObject | None = None
    calls: int = 0
    """Track and untrack in the window that ends at `window_ends_s`."""
    window_ends_s: float = float("-inf")


def state(topic: str, members: Iterable[Member], join_ref: str | None) -> Frame:
    """Everybody who is tracked, by key, for whom joined by `join_ref`; one key with two sockets has two metas."""
    payload: JsonObject = {}
    for member in members:
        if member.meta is not None:
            payload.setdefault(member.key, {"metas": []})["metas"].append(member.meta)
    return Frame(topic, phoenix.PRESENCE_STATE, payload, None, join_ref)


def track(member: Member, payload: JsonObject, make_ref: Callable[[], str]) -> JsonObject | None:
    """Make `payload`, less the names that the server fills in, the member's meta.

    Returns the diff, or None where nothing changed.
    """
    payload = {name: value for name, value in payload.items() if name not in _RESERVED}
    if member.tracked == payload:
        return None
    left = member.meta
    meta = {**payload, "phx_ref": make_ref()}
    if left is not None:
        meta["phx_ref_prev"] = left["phx_ref"]
    member.tracked, member.meta = payload, meta
    return _diff(member.key, joined=meta, left=left)


def untrack(member: Member) -> JsonObject | None:
    """Forget the member's meta; returns the diff, or None where there was none."""
    left = member.meta
    member.tracked = member.meta = None
    return None if left is None else _diff(member.key, joined=None, left=left)


def show(topic: str, diff: JsonObject | None, members: Iterable[Member]) -> Deliveries:
    """The diff, for those who watch presence."""
    if diff is None:
        return []
    frame = Frame(topic, phoenix.PRESENCE_DIFF, diff)
    return [(member.socket, frame) for member in members if member.sees_presence]


def _diff(key: str, joined: JsonObject | None, left: JsonObject | None) -> JsonObject:
    return {
        "joins": {} if joined is None else {key: {"metas": [joined]}},
        "leaves": {} if left is None else {key: {"metas": [left]}},
    }
