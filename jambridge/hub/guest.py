"""A member of the older Socket.IO protocol, in one room with Realtime's. Pure: time is a parameter.

A guest is a member like any other: it has a presence, may be host, and keeps the room's state by the same rules; only
its client does not know. What the room says comes in as frames and goes out as the client's events, and back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jambridge.errors import LinkError, Text, WireError
from jambridge.hub import phoenix
from jambridge.hub.phoenix import Frame
from jambridge.room import hosting, messages
from jambridge.room.arrivals import sender_of
from jambridge.room.messages import Broadcast, Participant
from jambridge.room.presence import ordered, parse_state
from jambridge.room.sharing import EVENTS, Sharing
from jambridge.room.state import FIELDS, RoomState
from jambridge.room.state_messages import EVENT_OF
from jambridge.strict_json import JsonObject
from jambridge.units import LocalSeconds, PeerId, RoomCode

CREATED, JOINED, ERROR = "session:created", "session:joined", "error"
USER_JOINED, USER_LEFT = "session:user-joined", "session:user-left"
MOVED = "hub-moved"
STATE = "state:sync"
FIELD_OF = {f"state:{event}": name for name, event in EVENT_OF.items()}
"""The fields by the events that set and tell them, such as `state:tempo-change`."""

_CLIENT = "socket.io"
_JOIN_REF = "1"
_NAMELESS = "User"


@dataclass(slots=True)
class Said:
    """What is to be sent: frames to the room, events to the client."""

    frames: list[Frame] = field(default_factory=list)
    events: list[tuple[str, JsonObject]] = field(default_factory=list)


def topic_of(code: RoomCode) -> str:
    return f"{phoenix.TOPIC_PREFIX}room:{code}"


class Guest:
    """`ended` is set as soon as it is in no room any more. What comes of nonsense is counted in `sharing.dropped`."""

    def __init__(
        self,
        me: PeerId,
        code: RoomCode,
        shown: Mapping[str, object],
        *,
        creates: bool,
        state: RoomState | None,
        jitter: Callable[[], float],
    ) -> None:
        self.code = code
        self.topic = topic_of(code)
        self.sharing = Sharing(me, state=state, jitter=jitter)
        self.ended = False
        self._me = me
        self._answer = CREATED if creates else JOINED
        self._shown = shown
        self._members: dict[PeerId, Participant] | None = None
        self._ref = 0

    @property
    def deadline(self) -> LocalSeconds | None:
        """When to `tick`."""
        return self.sharing.deadline

    def enter(self) -> Said:
        config = {"broadcast": {"ack": False, "self": False}, "presence": {"key": self._me, "enabled": True}}
        return Said([self._frame(phoenix.JOIN, {"config": config})])

    def hear(self, frame: Frame, wall_s: float, now: LocalSeconds) -> Said:
        """A frame of the room; `wall_s` is in seconds since 1970."""
        match frame.event:
            case phoenix.REPLY if frame.ref == _JOIN_REF and frame.payload["status"] != "ok":
                full = frame.payload["response"].get("reason") == Text.FULL
                return self._end(Text.FULL if full else Text.NO_CONNECTION)
            case phoenix.CLOSE:
                return self._end(Text.NO_CONNECTION)
            case phoenix.PRESENCE_STATE if self._members is None:
                return self._settle(frame.payload, wall_s, now)
            case phoenix.PRESENCE_DIFF if self._members is not None:
                return self._update(self._members, frame.payload, wall_s, now)
            case phoenix.BROADCAST:
                return self._overhear(frame.payload, now)
        return Said()

    def change(self, name: str, value: object, now: LocalSeconds) -> Said:
        """The client sets a field; what cannot be is told to it."""
        try:
            return self._state_said(self.sharing.state, self.sharing.change(name, value, now), silent=True)
        except (WireError, LinkError) as exc:
            return Said(events=[(ERROR, {"message": str(exc)})])

    def tell_state(self) -> Said:
        """All of the state, whole and as the events by which an older client knows it."""
        values = self.sharing.state.values()
        single = [(event, {name: values[name]}) for event, name in FIELD_OF.items()]
        return Said(events=[(STATE, values), *single])

    def leave(self, wall_s: float) -> Said:
        """The client goes; it cannot come back as the same member."""
        return Said(self._frames(self.sharing.leaving(wall_s)))

    def lose(self) -> Said:
        """The room went on without us."""
        return self._end(Text.NO_CONNECTION)

    def tick(self, now: LocalSeconds) -> Said:
        return Said(self._frames(self.sharing.tick(now)))

    def _settle(self, presences: JsonObject, wall_s: float, now: LocalSeconds) -> Said:
        others, _ = parse_state({key: entry["metas"] for key, entry in presences.items()})
        claim = {"name": _NAMELESS, **self._shown, "isHost": not others, "client": _CLIENT, "sends": False}
        me = replace(messages.parse_participant(self._me, claim), joined_at=wall_s)
        self._members = {**others, self._me: me}
        members = ordered(self._members.values())
        track = {"type": "presence", "event": "track", "payload": messages.presence_payload(me)}
        said = self.sharing.joined(members, wall_s, now)
        host = hosting.elect(members, wall_s, newcomer=True)
        answer: JsonObject = {"roomCode": self.code, "userId": self._me}
        answer["participants"] = [_user(member, member.id == host) for member in members]
        known = self.tell_state().events if self.sharing.state != RoomState() else []
        return Said([self._frame(phoenix.PRESENCE, track), *self._frames(said)], [(self._answer, answer), *known])

    def _update(self, members: dict[PeerId, Participant], diff: JsonObject, wall_s: float, now: LocalSeconds) -> Said:
        joins, _ = parse_state({key: entry["metas"] for key, entry in diff["joins"].items() if key != self._me})
        left = {PeerId(key) for key in diff["leaves"] if key not in joins and key in members and key != self._me}
        new = [member for key, member in joins.items() if key not in members]
        for key in left:
            del members[key]
        members.update(joins)
        said = self.sharing.members_changed(ordered(members.values()), wall_s, now)
        events: list[tuple[str, JsonObject]] = [(USER_LEFT, {"userId": key}) for key in sorted(left)]
        events += [(USER_JOINED, {"user": _user(member, member.id == self.sharing.host)}) for member in new]
        return Said(self._frames(said), events)

    def _overhear(self, body: JsonObject, now: LocalSeconds) -> Said:
        event, payload = body["event"], body.get("payload")
        if event == MOVED and isinstance(payload, dict) and "fromPeerId" not in payload:
            return Said(events=[(MOVED, payload)])
        if event not in EVENTS or not isinstance(payload, dict):
            return Said()
        before = self.sharing.state
        try:
            said = self.sharing.receive(event, payload, sender_of(payload), now)
        except WireError:
            self.sharing.dropped["malformed"] += 1
            return Said()
        return self._state_said(before, said)

    def _state_said(self, before: RoomState, said: list[Broadcast], *, silent: bool = False) -> Said:
        """The broadcasts, and what the client does not know yet; it knows what it said itself."""
        after = self.sharing.state
        changed = [name for name in FIELDS if not silent and after.value(name) != before.value(name)]
        values = after.values()
        events = [(event, {name: values[name]}) for event, name in FIELD_OF.items() if name in changed]
        return Said(self._frames(said), events)

    def _end(self, text: Text) -> Said:
        if self.ended:
            return Said()
        self.ended = True
        return Said(events=[(ERROR, {"message": text.value})])

    def _frames(self, broadcasts: list[Broadcast]) -> list[Frame]:
        return [
            self._frame(
                phoenix.BROADCAST,
                {"type": "broadcast", "event": said.event, "payload": {**said.payload, "fromPeerId": self._me}},
            )
            for said in broadcasts
        ]

    def _frame(self, event: str, payload: dict[str, Any]) -> Frame:
        self._ref += 1
        return Frame(self.topic, event, payload, str(self._ref), _JOIN_REF)


def _user(member: Participant, is_host: bool) -> JsonObject:
    return {"id": member.id, "name": member.name, "instrument": member.instrument, "isHost": is_host}
