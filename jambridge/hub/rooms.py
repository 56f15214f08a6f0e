"""Rooms by topic: what every frame of a socket means to the others. Pure: frames in, deliveries out.

Source: supabase/realtime `realtime_channel.ex`, `broadcast_handler.ex` and `presence_handler.ex`, and its clients as
measured, with these rules of the project's contract: a room is full with `max_members`; a `fromPeerId` that is not the
sender's own presence key is refused; a key is one socket's, else anybody could be anybody; only the hub itself says
`hub-moved`, since browsers follow it. Whether a socket is dead and its key free is for the caller to find out, who then
disconnects it.

On one LAN without accounts there is nothing that would tell who may read what: `private` channels are the same as
public ones, so that a client set up for hosted Supabase finds its room here too. `postgres_changes` are agreed to and
never come; `broadcast.replay` has nothing to replay.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jambridge.errors import Text
from jambridge.hub import phoenix, presence
from jambridge.hub.guest import MOVED
from jambridge.hub.limits import Limits
from jambridge.hub.phoenix import Frame
from jambridge.hub.presence import Deliveries, Member, SocketId
from jambridge.room.flood import TokenBucket
from jambridge.strict_json import JsonObject

BAD_KEY = "bad presence key"
KEY_IN_USE = "key in use"
UNMATCHED = "unmatched topic"
NO_NAME = "TopicNameRequired: You must provide a topic name"
TOO_MANY_CHANNELS = "ChannelRateLimitReached: Too many channels"
TOO_MANY_ROOMS = "too many rooms"
TOO_MANY_JOINS = "ClientJoinRateLimitReached: Too many joins per second"
TOO_MANY_MESSAGES = "Too many messages per second"
TOO_MUCH_PRESENCE = "Client presence rate limit exceeded"
OVERSIZED_PRESENCE = "Track message size exceeded"
OVERSIZED = "payload_size_exceeded"
NO_MAP = "Presence track payload must be a map"
_MOST_CHANGES = 32  # postgres_changes of a join that are agreed to
_KEY = re.compile(r"[\x21-\x7e]{1,64}")  # it is shown on terminals and in log lines


@dataclass(slots=True)
class _Room:
    bucket: TokenBucket
    members: dict[SocketId, Member] = field(default_factory=dict)


@dataclass(slots=True)
class _Socket:
    joins: TokenBucket
    messages: TokenBucket
    topics: set[str] = field(default_factory=set)


class Rooms:
    """All rooms of one hub. A room exists while somebody is in it."""

    def __init__(
        self,
        limits: Limits,
        make_ref: Callable[[], str],
        tell: Callable[[str, bool], None] = lambda _topic, _exists: None,
    ) -> None:
        """`make_ref` gives texts that never repeat, not even after a restart: clients compare presence by them.

        `tell` is told the topic of a room that is created, and whether it exists: False once the last one has left it.
        """
        self._limits = limits
        self._make_ref = make_ref
        self._tell = tell
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
        if frame.event != phoenix.JOIN or (room := self._rooms.get(frame.topic)) is None:
            return None
        key = _key(frame)
        others = (member for member in room.members.values() if member.socket != socket)
        return next((other.socket for other in others if other.key == key), None)

    def receive(self, socket: SocketId, frame: Frame, now_s: float) -> Deliveries:
        """What a frame from `socket` makes the hub send."""
        if frame.topic == phoenix.SYSTEM_TOPIC:
            return self._system(socket, frame)
        if frame.event == phoenix.JOIN:
            return self._join(socket, frame, now_s)
        room = self._rooms.get(frame.topic)
        member = room.members.get(socket) if room else None
        if room is None or member is None:
            return [(socket, phoenix.ok(frame) if frame.event == phoenix.LEAVE else phoenix.error(frame, UNMATCHED))]
        match frame.event:
            case phoenix.LEAVE:
                return [(socket, phoenix.ok(frame)), *self._end(frame.topic, member)]
            case phoenix.ACCESS_TOKEN:  # nothing here expires
                return []
            case _ if not self._socket(socket).messages.take(now_s):
                return self._shut(member, frame.topic, "flood", TOO_MANY_MESSAGES)
            case phoenix.BROADCAST:
                return self._broadcast(room, member, frame, now_s)
            case phoenix.PRESENCE:
                return self._presence(room, member, frame, now_s)
        return self._drop("unknown-event")

    def inject(self, topic: str, event: str, payload: JsonObject | bytes, now_s: float) -> Deliveries | None:
        """A broadcast that comes from no member, for everybody in that room; None where the room has too much."""
        room = self._rooms.get(topic)
        if room is None:
            return []
        if event == MOVED:
            return self._drop("forged-sender")
        if not room.bucket.take(now_s):
            self.dropped["room-flood"] += 1
            return None
        self.relayed += 1
        relayed = phoenix.broadcast(topic, event, payload)
        return [(socket, relayed) for socket in room.members]

    def tell_all(self, event: str, payload: JsonObject) -> Deliveries:
        """A broadcast of the hub's own for everybody in every room."""
        deliveries: Deliveries = []
        for topic, room in self._rooms.items():
            told = phoenix.broadcast(topic, event, payload)
            deliveries += [(socket, told) for socket in room.members]
        return deliveries

    def disconnect(self, socket: SocketId) -> Deliveries:
        """Forget a socket that is gone."""
        deliveries = [out for topic in sorted(self.topics(socket)) for out in self._remove(socket, topic)]
        self._sockets.pop(socket, None)
        return deliveries

    def _system(self, socket: SocketId, frame: Frame) -> Deliveries:
        if frame.event != phoenix.HEARTBEAT:
            return self._drop("unknown-event")
        return [(socket, phoenix.ok(frame))]

    def _join(self, socket: SocketId, frame: Frame, now_s: float) -> Deliveries:
        if not self._socket(socket).joins.take(now_s):
            self.dropped["join-flood"] += 1
            return [(socket, phoenix.error(frame, TOO_MANY_JOINS))]
        deliveries = self._supersede(socket, frame.topic)
        member = self._member(socket, frame)
        if reason := self._refusal(member, frame.topic):
            self.dropped["refused-join"] += 1
            return [*deliveries, (socket, phoenix.error(frame, reason))]
        if (room := self._rooms.get(frame.topic)) is None:
            room = _Room(TokenBucket(self._limits.room_rate, self._limits.room_burst))
            self._rooms[frame.topic] = room
            self._tell(frame.topic, True)
        room.members[socket] = member
        self._socket(socket).topics.add(frame.topic)
        deliveries.append((socket, phoenix.ok(frame, {"postgres_changes": _changes(frame)})))
        if member.sees_presence:
            deliveries.append((socket, presence.state(frame.topic, room.members.values(), member.join_ref)))
        return deliveries

    def _supersede(self, socket: SocketId, topic: str) -> Deliveries:
        """A second join of a topic closes the first."""
        if socket not in self._sockets or topic not in self._sockets[socket].topics:
            return []
        return self._end(topic, self._rooms[topic].members[socket])

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
        if topic == phoenix.TOPIC_PREFIX:
            return NO_NAME
        if not _KEY.fullmatch(member.key):
            return BAD_KEY
        if len(self._socket(member.socket).topics) >= self._limits.max_topics:
            return TOO_MANY_CHANNELS
        if topic not in self._rooms and len(self._rooms) >= self._limits.max_rooms:
            return TOO_MANY_ROOMS
        keys = {other.key for other in self._rooms[topic].members.values()} if topic in self._rooms else set()
        if member.key in keys:
            return KEY_IN_USE
        if len(keys) >= self._limits.max_members:
            return Text.FULL.value
        return None

    def _shut(self, member: Member, topic: str, count: str, message: str) -> Deliveries:
        """Close a member's channel and say why, as the real server does; it may join anew."""
        self.dropped[count] += 1
        return [(member.socket, phoenix.system(topic, message, member.join_ref)), *self._end(topic, member)]

    def _end(self, topic: str, member: Member) -> Deliveries:
        closed = (member.socket, phoenix.close(topic, member.join_ref))
        return [closed, *self._remove(member.socket, topic)]

    def _remove(self, socket: SocketId, topic: str) -> Deliveries:
        room = self._rooms[topic]
        member = room.members.pop(socket)
        self._sockets[socket].topics.discard(topic)
        if not room.members:
            del self._rooms[topic]
            self._tell(topic, False)
        return presence.show(topic, presence.untrack(member), room.members.values())

    def _broadcast(self, room: _Room, member: Member, frame: Frame, now_s: float) -> Deliveries:
        event, payload = frame.payload.get("event"), frame.payload.get("payload", {})
        if frame.size > phoenix.MAX_BYTES:
            return self._refuse(OVERSIZED, member, frame)
        if not isinstance(event, str) or not isinstance(payload, dict | bytes):
            return self._refuse("malformed-broadcast", member, frame)
        if event == MOVED or (isinstance(payload, dict) and payload.get("fromPeerId") not in (None, member.key)):
            return self._refuse("forged-sender", member, frame)
        if not room.bucket.take(now_s):
            return self._refuse("room-flood", member, frame)
        self.relayed += 1
        relayed = Frame(frame.topic, phoenix.BROADCAST, _body(frame, payload), binary=frame.binary)
        deliveries: Deliveries = [
            (other.socket, relayed) for other in room.members.values() if other is not member or member.hears_itself
        ]
        if member.wants_acks:
            deliveries.append((member.socket, phoenix.ok(frame)))
        return deliveries

    def _presence(self, room: _Room, member: Member, frame: Frame, now_s: float) -> Deliveries:
        if not self._may_call(member, now_s):
            return self._shut(member, frame.topic, "presence-flood", TOO_MUCH_PRESENCE)
        event = frame.payload.get("event")
        match event.lower() if isinstance(event, str) else None:
            case "track":
                return self._track(room, member, frame)
            case "untrack":
                diff = presence.untrack(member)
                shown = presence.show(frame.topic, diff, room.members.values())
                return [(member.socket, phoenix.ok(frame)), *shown]
        self.dropped["malformed-presence"] += 1
        return [(member.socket, phoenix.error(frame, "unknown presence event"))]

    def _may_call(self, member: Member, now_s: float) -> bool:
        """Count a call in a window that begins with its first, as the real server does."""
        if now_s > member.window_ends_s:
            member.calls, member.window_ends_s = 0, now_s + self._limits.presence_window_s
        member.calls += 1
        return member.calls <= self._limits.presence_calls

    def _track(self, room: _Room, member: Member, frame: Frame) -> Deliveries:
        payload = frame.payload.get("payload", {})
        if frame.size > self._limits.max_presence_bytes:
            return self._shut(member, frame.topic, "oversized-presence", OVERSIZED_PRESENCE)
        if not isinstance(payload, dict):
            self.dropped["malformed-presence"] += 1
            return [(member.socket, phoenix.error(frame, NO_MAP))]
        diff = presence.track(member, payload, self._make_ref)
        deliveries: Deliveries = [(member.socket, phoenix.ok(frame))]
        deliveries += presence.show(frame.topic, diff, room.members.values())
        if not member.sees_presence:  # tracking turns presence on, and the state was not sent at the join
            member.sees_presence = True
            deliveries.append((member.socket, presence.state(frame.topic, room.members.values(), member.join_ref)))
        return deliveries

    def _refuse(self, reason: str, member: Member, frame: Frame) -> Deliveries:
        self.dropped[reason] += 1
        return [(member.socket, phoenix.error(frame, reason))] if member.wants_acks else []

    def _drop(self, reason: str) -> Deliveries:
        self.dropped[reason] += 1
        return []

    def _socket(self, socket: SocketId) -> _Socket:
        if socket not in self._sockets:
            limits = self._limits
            self._sockets[socket] = _Socket(
                joins=TokenBucket(limits.join_rate, limits.join_burst),
                messages=TokenBucket(limits.message_rate, limits.message_burst),
            )
        return self._sockets[socket]


def _body(frame: Frame, payload: JsonObject | bytes) -> JsonObject:
    """What is relayed: the sender's own words; but the metadata of a binary frame are the server's alone."""
    body = {**frame.payload, "type": phoenix.BROADCAST, "payload": payload}
    if frame.binary:
        body.pop("meta", None)
    return body


def _changes(join: Frame) -> list[JsonObject]:
    """The postgres_changes asked for, each with an id: supabase-js gives up a channel whose server has others."""
    asked = _object(join.payload, "config").get("postgres_changes")
    if not isinstance(asked, list):
        return []
    changes = [change for change in asked[:_MOST_CHANGES] if isinstance(change, dict)]
    return [{**change, "id": number} for number, change in enumerate(changes, 1)]


def _key(join: Frame) -> str | None:
    key = _object(_object(join.payload, "config"), "presence").get("key")
    return key if isinstance(key, str) and key else None


def _object(parent: JsonObject, key: str) -> dict[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}
