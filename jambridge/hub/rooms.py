"""Rooms by topic: what every frame of a socket means to the others. Pure: frames in, deliveries out.

Source: Supabase Realtime as measured, with three rules of the project's contract: a room is full with `max_members`;
a `fromPeerId` that is not the sender's own presence key is refused; a key is one socket's, else anybody could be
anybody. Whether a socket is dead and its key free is for the caller to find out, who then disconnects it.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jambridge.errors import Text
from jambridge.hub import phoenix, presence
from jambridge.hub.limits import Limits
from jambridge.hub.phoenix import Frame
from jambridge.hub.presence import Deliveries, Member, SocketId
from jambridge.room.flood import FloodGuard, TokenBucket
from jambridge.strict_json import JsonObject

BAD_KEY = "bad presence key"
KEY_IN_USE = "key in use"
UNMATCHED = "unmatched topic"
_KEY = re.compile(r"[\x21-\x7e]{1,64}")  # it is shown on terminals and in log lines


@dataclass(slots=True)
class _Room:
    bucket: TokenBucket
    members: dict[SocketId, Member] = field(default_factory=dict)


@dataclass(slots=True)
class _Socket:
    guard: FloodGuard
    topics: set[str] = field(default_factory=set)


class Rooms:
    """All rooms of one hub. A room exists while somebody is in it."""

    def __init__(self, limits: Limits, make_ref: Callable[[], str]) -> None:
        """`make_ref` gives texts that never repeat, not even after a restart: clients compare presence by them."""
        self._limits = limits
        self._make_ref = make_ref
        self._rooms: dict[str, _Room] = {}
        self._sockets: dict[SocketId, _Socket] = {}
        self.dropped: Counter[str] = Counter()
        self.relayed = 0

    @property
    def sizes(self) -> dict[str, int]:
        """Joined sockets by topic."""
        return {topic: len(room.members) for topic, room in self._rooms.items()}

    def topics(self, socket: SocketId) -> frozenset[str]:
        return frozenset(self._sockets[socket].topics) if socket in self._sockets else frozenset()

    def holder(self, socket: SocketId, frame: Frame) -> SocketId | None:
        """The other socket whose key this frame, if it is a join, asks for."""
        room = self._rooms.get(frame.topic)
        if room is None or frame.event != phoenix.JOIN:
            return None
        key = _key(frame)
        others = (member for member in room.members.values() if member.socket != socket)
        return next((other.socket for other in others if other.key == key), None)

    def receive(self, socket: SocketId, frame: Frame, now_s: float) -> Deliveries:
        """What a frame from `socket` makes the hub send."""
        if frame.topic == phoenix.SYSTEM_TOPIC:
            return self._system(socket, frame)
        if frame.event == phoenix.LEAVE:
            return self._leave(socket, frame)
        if not self._socket(socket).guard.admit(now_s):
            return self._drop("flood")
        if frame.event == phoenix.JOIN:
            return self._join(socket, frame)
        room = self._rooms.get(frame.topic)
        member = room.members.get(socket) if room else None
        if room is None or member is None:
            return [(socket, phoenix.error(frame, UNMATCHED))]
        match frame.event:
            case phoenix.BROADCAST:
                return self._broadcast(room, member, frame, now_s)
            case phoenix.PRESENCE:
                return self._presence(room, member, frame)
            case phoenix.ACCESS_TOKEN:  # nothing here expires
                return []
        return self._drop("unknown-event")

    def disconnect(self, socket: SocketId) -> Deliveries:
        """Forget a socket that is gone."""
        deliveries = [out for topic in sorted(self.topics(socket)) for out in self._remove(socket, topic)]
        self._sockets.pop(socket, None)
        return deliveries

    def _system(self, socket: SocketId, frame: Frame) -> Deliveries:
        if frame.event != phoenix.HEARTBEAT:
            return self._drop("unknown-event")
        return [(socket, phoenix.ok(frame))]

    def _join(self, socket: SocketId, frame: Frame) -> Deliveries:
        deliveries = self._supersede(socket, frame.topic)
        member = self._member(socket, frame)
        if reason := self._refusal(member, frame.topic):
            self.dropped["refused-join"] += 1
            return [*deliveries, (socket, phoenix.error(frame, reason))]
        room = self._rooms.setdefault(frame.topic, _Room(TokenBucket(self._limits.room_rate, self._limits.room_burst)))
        room.members[socket] = member
        self._socket(socket).topics.add(frame.topic)
        deliveries.append((socket, phoenix.ok(frame, {"postgres_changes": []})))
        if member.sees_presence:
            deliveries.append((socket, presence.state(frame.topic, room.members.values())))
        return deliveries

    def _supersede(self, socket: SocketId, topic: str) -> Deliveries:
        """A second join of a topic closes the first."""
        if topic not in self.topics(socket):
            return []
        old = self._rooms[topic].members[socket]
        return [*self._remove(socket, topic), (socket, Frame(topic, phoenix.CLOSE, {}, old.join_ref))]

    def _member(self, socket: SocketId, frame: Frame) -> Member:
        """The joiner; what its config leaves out or garbles is off, as on the real server."""
        config = _object(frame.payload, "config")
        broadcast, shown = _object(config, "broadcast"), _object(config, "presence")
        return Member(
            socket=socket,
            key=_key(frame) or self._make_ref(),
            join_ref=frame.join_ref or frame.ref,
            hears_itself=broadcast.get("self") is True,
            wants_acks=broadcast.get("ack") is True,
            sees_presence=shown.get("enabled") is True,
        )

    def _refusal(self, member: Member, topic: str) -> str | None:
        if not topic.startswith(phoenix.TOPIC_PREFIX):
            return UNMATCHED
        if not _KEY.fullmatch(member.key):
            return BAD_KEY
        if len(self._socket(member.socket).topics) >= self._limits.max_topics:
            return "ChannelRateLimitReached: Too many channels"
        keys = {other.key for other in self._rooms[topic].members.values()} if topic in self._rooms else set()
        if member.key in keys:
            return KEY_IN_USE
        if len(keys) >= self._limits.max_members:
            return Text.FULL.value
        return None

    def _leave(self, socket: SocketId, frame: Frame) -> Deliveries:
        if frame.topic not in self.topics(socket):
            return [(socket, phoenix.ok(frame))]
        member = self._rooms[frame.topic].members[socket]
        return [
            (socket, phoenix.ok(frame)),
            (socket, Frame(frame.topic, phoenix.CLOSE, {}, member.join_ref)),
            *self._remove(socket, frame.topic),
        ]

    def _remove(self, socket: SocketId, topic: str) -> Deliveries:
        room = self._rooms[topic]
        member = room.members.pop(socket)
        self._sockets[socket].topics.discard(topic)
        if not room.members:
            del self._rooms[topic]
        return presence.show(topic, presence.untrack(member), room.members.values())

    def _broadcast(self, room: _Room, member: Member, frame: Frame, now_s: float) -> Deliveries:
        event, payload = frame.payload.get("event"), frame.payload.get("payload", {})
        if not isinstance(event, str) or not isinstance(payload, dict):
            return self._refuse("malformed-broadcast", member, frame)
        if payload.get("fromPeerId") not in (None, member.key):
            return self._refuse("forged-sender", member, frame)
        if not room.bucket.take(now_s):
            return self._refuse("room-flood", member, frame)
        self.relayed += 1
        relayed = Frame(frame.topic, phoenix.BROADCAST, {"type": "broadcast", "event": event, "payload": payload})
        deliveries: Deliveries = [
            (other.socket, relayed) for other in room.members.values() if other is not member or member.hears_itself
        ]
        if member.wants_acks:
            deliveries.append((member.socket, phoenix.ok(frame)))
        return deliveries

    def _presence(self, room: _Room, member: Member, frame: Frame) -> Deliveries:
        match frame.payload.get("event"):
            case "track":
                return self._track(room, member, frame)
            case "untrack":
                diff = presence.untrack(member)
                shown = presence.show(frame.topic, diff, room.members.values())
                return [(member.socket, phoenix.ok(frame)), *shown]
        self.dropped["malformed-presence"] += 1
        return [(member.socket, phoenix.error(frame, "unknown presence event"))]

    def _track(self, room: _Room, member: Member, frame: Frame) -> Deliveries:
        payload = frame.payload.get("payload", {})
        if not isinstance(payload, dict) or len(json.dumps(payload)) > self._limits.max_presence_bytes:
            self.dropped["malformed-presence"] += 1
            return [(member.socket, phoenix.error(frame, "presence payload refused"))]
        diff = presence.track(member, payload, self._make_ref)
        deliveries: Deliveries = [(member.socket, phoenix.ok(frame))]
        deliveries += presence.show(frame.topic, diff, room.members.values())
        if not member.sees_presence:  # tracking turns presence on, and the state was not sent at the join
            member.sees_presence = True
            deliveries.append((member.socket, presence.state(frame.topic, room.members.values())))
        return deliveries

    def _refuse(self, reason: str, member: Member, frame: Frame) -> Deliveries:
        self.dropped[reason] += 1
        return [(member.socket, phoenix.error(frame, reason))] if member.wants_acks else []

    def _drop(self, reason: str) -> Deliveries:
        self.dropped[reason] += 1
        return []

    def _socket(self, socket: SocketId) -> _Socket:
        if socket not in self._sockets:
            self._sockets[socket] = _Socket(
                FloodGuard(self._limits.message_rate, self._limits.message_burst, self._limits.mute_s)
            )
        return self._sockets[socket]


def _key(join: Frame) -> str | None:
    key = _object(_object(join.payload, "config"), "presence").get("key")
    return key if isinstance(key, str) and key else None


def _object(parent: JsonObject, key: str) -> dict[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}
