"""Rooms without sockets: frames in, deliveries out."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jambridge.hub import phoenix
from jambridge.hub.limits import Limits
from jambridge.hub.phoenix import Frame
from jambridge.hub.presence import Deliveries, SocketId
from jambridge.hub.rooms import Rooms

TOPIC = "realtime:room:ABC123"
GENEROUS = Limits(message_rate=1e9, message_burst=1e9, join_burst=1e9, presence_calls=10**9, room_burst=1e9)
ANNA, BEN, CLEO = SocketId(1), SocketId(2), SocketId(3)


def rooms_of(limits: Limits = GENEROUS) -> Rooms:
    references = itertools.count(1)
    return Rooms(limits, lambda: f"r{next(references)}")


def join(key: str, *, enabled: bool | None = True, ack: bool = False, self_: bool = False, topic: str = TOPIC) -> Frame:
    presence: dict[str, Any] = {"key": key} | ({} if enabled is None else {"enabled": enabled})
    config = {"broadcast": {"ack": ack, "self": self_}, "presence": presence}
    return Frame(topic, "phx_join", {"config": config}, "1", "1")


def broadcast(event: str, payload: object, topic: str = TOPIC) -> Frame:
    return Frame(topic, "broadcast", {"type": "broadcast", "event": event, "payload": payload}, "9", "1")


def track(payload: object) -> Frame:
    return Frame(TOPIC, "presence", {"type": "presence", "event": "track", "payload": payload}, "5", "1")


UNTRACK = Frame(TOPIC, "presence", {"event": "untrack", "payload": {}}, "6", "1")
LEAVE = Frame(TOPIC, "phx_leave", {}, "7", "1")


def told(deliveries: Deliveries, socket: SocketId) -> list[tuple[str, dict[str, Any]]]:
    return [(frame.event, frame.payload) for to, frame in deliveries if to == socket]


OK = ("phx_reply", {"status": "ok", "response": {}})


def shut(message: str) -> tuple[str, dict[str, Any]]:
    return ("system", {"extension": "system", "status": "error", "message": message, "channel": "room:ABC123"})


def error(reason: str) -> tuple[str, dict[str, Any]]:
    return ("phx_reply", {"status": "error", "response": {"reason": reason}})


def test_a_join_is_answered_and_shows_who_is_there() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(ANNA, track({"name": "Anna"}), 0.0)

    deliveries = rooms.receive(BEN, join("b"), 0.0)

    assert deliveries == [
        (BEN, Frame(TOPIC, "phx_reply", {"status": "ok", "response": {"postgres_changes": []}}, "1", "1")),
        (BEN, Frame(TOPIC, "presence_state", {"a": {"metas": [{"name": "Anna", "phx_ref": "r1"}]}}, None, "1")),
    ]


def test_presence_is_sent_only_to_those_who_asked_and_broadcasts_to_all() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)
    assert [frame.event for _, frame in rooms.receive(BEN, join("b", enabled=False), 0.0)] == ["phx_reply"]
    rooms.receive(CLEO, join("c", enabled=None), 0.0)

    shown = rooms.receive(ANNA, track({"name": "Anna"}), 0.0)
    heard = rooms.receive(ANNA, broadcast("tempo-change", {"tempo": 90}), 0.0)

    assert {to for to, _ in shown} == {ANNA}
    assert {to for to, _ in heard} == {BEN, CLEO}


def test_tracking_turns_presence_on() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(ANNA, track({"name": "Anna"}), 0.0)
    rooms.receive(BEN, join("b", enabled=False), 0.0)

    deliveries = rooms.receive(BEN, track({"name": "Ben"}), 0.0)

    assert [event for event, _ in told(deliveries, BEN)] == ["phx_reply", "presence_state"]
    assert set(told(deliveries, BEN)[-1][1]) == {"a", "b"}


def test_a_changed_presence_names_the_one_before_and_the_same_again_is_silent() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(ANNA, track({"name": "Anna"}), 0.0)

    same = rooms.receive(ANNA, track({"name": "Anna"}), 0.0)
    changed = rooms.receive(ANNA, track({"name": "Ann"}), 0.0)

    assert told(same, ANNA) == [OK]
    assert told(changed, ANNA)[1] == (
        "presence_diff",
        {
            "joins": {"a": {"metas": [{"name": "Ann", "phx_ref": "r2", "phx_ref_prev": "r1"}]}},
            "leaves": {"a": {"metas": [{"name": "Anna", "phx_ref": "r1"}]}},
        },
    )


def test_the_references_in_a_presence_are_the_hubs_own() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)
    theirs = {"name": "Anna", "phx_ref": "x", "phx_ref_prev": "y", "presence_ref": "z"}

    shown = told(rooms.receive(ANNA, track(theirs), 0.0), ANNA)[1]

    assert shown[1]["joins"]["a"]["metas"] == [{"name": "Anna", "phx_ref": "r1"}]
    assert told(rooms.receive(ANNA, track({"name": "Anna"}), 0.0), ANNA) == [OK]


@pytest.mark.parametrize("parting", ["untrack", "leave", "disconnect"])
def test_every_parting_is_shown_to_the_others(parting: str) -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(BEN, join("b"), 0.0)
    rooms.receive(BEN, track({"name": "Ben"}), 0.0)
    part: dict[str, Callable[[], Deliveries]] = {
        "untrack": lambda: rooms.receive(BEN, UNTRACK, 0.0),
        "leave": lambda: rooms.receive(BEN, LEAVE, 0.0),
        "disconnect": lambda: rooms.disconnect(BEN),
    }

    deliveries = part[parting]()

    gone = {"joins": {}, "leaves": {"b": {"metas": [{"name": "Ben", "phx_ref": "r1"}]}}}
    assert told(deliveries, ANNA) == [("presence_diff", gone)]


def test_a_leave_is_answered_and_then_closed_with_the_joins_ref() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)

    assert rooms.receive(ANNA, LEAVE, 0.0) == [
        (ANNA, Frame(TOPIC, "phx_reply", {"status": "ok", "response": {}}, "7", "1")),
        (ANNA, Frame(TOPIC, "phx_close", {}, "1", "1")),
    ]
    assert rooms.sizes == {}


def test_a_second_join_closes_the_first() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(ANNA, track({"name": "Anna"}), 0.0)
    rooms.receive(BEN, join("b"), 0.0)

    deliveries = rooms.receive(ANNA, join("a"), 0.0)

    assert [event for event, _ in told(deliveries, ANNA)] == ["phx_close", "phx_reply", "presence_state"]
    assert [event for event, _ in told(deliveries, BEN)] == ["presence_diff"]
    assert rooms.sizes == {TOPIC: 2}


def test_the_sender_hears_itself_and_gets_an_ack_where_asked() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a", self_=True, ack=True), 0.0)

    deliveries = rooms.receive(ANNA, broadcast("x", {"n": 1}), 0.0)

    assert told(deliveries, ANNA) == [("broadcast", {"type": "broadcast", "event": "x", "payload": {"n": 1}}), OK]


@pytest.mark.parametrize("ack", [False, True])
def test_a_forged_sender_is_refused_and_counted(ack: bool) -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a", ack=ack), 0.0)
    rooms.receive(BEN, join("b"), 0.0)

    deliveries = rooms.receive(ANNA, broadcast("x", {"fromPeerId": "b"}), 0.0)

    assert deliveries == [(ANNA, Frame(TOPIC, *error("forged-sender"), "9", "1"))] * ack
    assert rooms.dropped["forged-sender"] == 1
    assert told(rooms.receive(ANNA, broadcast("x", {"fromPeerId": "a"}), 0.0), BEN)


def test_nobody_but_the_hub_says_that_it_has_moved() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(BEN, join("b"), 0.0)

    assert rooms.receive(ANNA, broadcast("hub-moved", {"page": "https://10.0.0.66"}), 0.0) == []
    assert rooms.inject(TOPIC, "hub-moved", {"page": "https://10.0.0.66"}, 0.0) == []
    assert rooms.dropped["forged-sender"] == 2
    assert told(rooms.tell_all("hub-moved", {"page": "https://10.0.0.7"}), BEN)


@pytest.mark.parametrize("payload", [7, "x", [], None], ids=repr)
def test_a_broadcast_without_an_object_is_dropped(payload: object) -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a", self_=True), 0.0)

    assert rooms.receive(ANNA, broadcast("x", payload), 0.0) == []
    assert rooms.dropped["malformed-broadcast"] == 1


def test_what_is_not_joined_is_unmatched_and_reaches_nobody() -> None:
    rooms = rooms_of()
    rooms.receive(BEN, join("b"), 0.0)

    assert told(rooms.receive(ANNA, broadcast("x", {}), 0.0), ANNA) == [error("unmatched topic")]
    assert told(rooms.receive(ANNA, join("a", topic="room:ABC123"), 0.0), ANNA) == [error("unmatched topic")]
    assert told(rooms.receive(ANNA, LEAVE, 0.0), ANNA) == [OK]


def test_the_eleventh_member_is_told_that_the_session_is_full_and_the_tenth_may_come_back() -> None:
    rooms = rooms_of()
    for number in range(10):
        rooms.receive(SocketId(number), join(f"p{number}"), 0.0)

    assert told(rooms.receive(SocketId(10), join("p10"), 0.0), SocketId(10)) == [error("Session is full")]
    assert told(rooms.receive(SocketId(10), broadcast("x", {}), 0.0), SocketId(10)) == [error("unmatched topic")]
    rooms.disconnect(SocketId(9))
    assert told(rooms.receive(SocketId(11), join("p9"), 0.0), SocketId(11))[0][1]["status"] == "ok"
    rooms.disconnect(SocketId(0))
    assert told(rooms.receive(SocketId(10), join("p10"), 0.0), SocketId(10))[0][1]["status"] == "ok"


def test_a_key_is_one_sockets_until_that_is_gone() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(CLEO, join("c"), 0.0)

    assert rooms.holder(BEN, join("a")) == ANNA
    assert told(rooms.receive(BEN, join("a"), 0.0), BEN) == [error("key in use")]
    assert rooms.holder(ANNA, join("a")) is None  # its own second join
    assert rooms.holder(BEN, join("a", topic="realtime:room:OTHER")) is None
    assert rooms.holder(BEN, join("b")) is None
    rooms.disconnect(ANNA)
    assert rooms.holder(BEN, join("a")) is None
    assert told(rooms.receive(BEN, join("a"), 0.0), BEN)[0][1]["status"] == "ok"


@pytest.mark.parametrize("key", ["b" * 65, "a b", "a\n", "\x1b[2J", "é", "a\x7f"], ids=ascii)
def test_a_key_that_a_terminal_would_not_show_as_it_is_is_refused(key: str) -> None:
    rooms = rooms_of()

    assert told(rooms.receive(ANNA, join(key), 0.0), ANNA) == [error("bad presence key")]
    assert told(rooms.receive(ANNA, join("~" * 64), 0.0), ANNA)[0][1]["status"] == "ok"


def test_a_huge_presence_ends_the_channel_and_one_that_is_no_object_is_refused() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)

    no_map = rooms.receive(ANNA, track([]), 0.0)
    huge = rooms.receive(ANNA, replace(track({"name": "x"}), size=9000), 0.0)

    assert told(no_map, ANNA) == [error("Presence track payload must be a map")]
    assert told(huge, ANNA) == [shut("Track message size exceeded"), ("phx_close", {})]
    assert rooms.sizes == {}


def test_one_socket_is_in_a_bounded_number_of_rooms() -> None:
    rooms = rooms_of()
    replies = [rooms.receive(ANNA, join("a", topic=f"realtime:{n}"), 0.0)[0][1].payload for n in range(9)]

    assert [reply["status"] for reply in replies] == ["ok"] * 8 + ["error"]


def test_a_flood_ends_the_channel_which_may_be_joined_anew() -> None:
    rooms = rooms_of(Limits())
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(BEN, join("b"), 0.0)

    for _ in range(400):
        assert told(rooms.receive(ANNA, broadcast("x", {}), 0.0), BEN)
    last = rooms.receive(ANNA, broadcast("x", {}), 0.0)

    assert last == [
        (ANNA, Frame(TOPIC, "system", shut("Too many messages per second")[1], None, "1")),
        (ANNA, Frame(TOPIC, "phx_close", {}, "1", "1")),
    ]
    assert rooms.sizes == {TOPIC: 1}
    assert rooms.dropped == {"flood": 1}
    assert told(rooms.receive(ANNA, Frame("phoenix", "heartbeat", {}), 0.0), ANNA) == [OK]
    assert told(rooms.receive(ANNA, join("a"), 1.0), ANNA)[0][1]["status"] == "ok"
    assert told(rooms.receive(ANNA, broadcast("x", {}), 1.0), BEN)


def test_a_host_that_lights_everybodys_leds_is_no_flood_not_even_after_a_stall() -> None:
    rooms = rooms_of(Limits())
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(BEN, join("b"), 0.0)
    sent_s = [number / 80 for number in range(80 * 60)]
    arrived_s = [40.0 if 35.5 < at_s < 40.0 else at_s for at_s in sent_s]

    heard = [told(rooms.receive(ANNA, broadcast("led-update", {}), at_s), BEN) for at_s in arrived_s]

    assert all(heard)


def test_who_floods_and_joins_anew_at_once_is_served_at_the_legal_rate_and_then_no_more() -> None:
    rooms = rooms_of(Limits())
    rooms.receive(BEN, join("b"), 0.0)
    served = closed = 0
    for number in range(200 * 60):  # what the limit of frames lets through in a minute
        now_s = number / 200
        if TOPIC not in rooms.topics(ANNA):
            rooms.receive(ANNA, join("a"), now_s)
        deliveries = rooms.receive(ANNA, broadcast("x", {}), now_s)
        served += bool(told(deliveries, BEN))
        closed += ("phx_close", {}) in told(deliveries, ANNA)

    assert served <= 400 + 100 * 60
    assert closed <= 16 + 60
    assert rooms.dropped["join-flood"] > 1000


def test_a_sixth_track_in_thirty_seconds_ends_the_channel() -> None:
    rooms = rooms_of(Limits())
    rooms.receive(ANNA, join("a"), 0.0)
    calls = [track({"n": 1}), UNTRACK, track({"n": 2}), track({"n": 2}), track({"n": 3})]

    assert all(told(rooms.receive(ANNA, call, 1.0), ANNA)[0] == OK for call in calls)
    assert told(rooms.receive(ANNA, track({"n": 4}), 32.0), ANNA)[0] == OK
    for number in range(4):
        rooms.receive(ANNA, track({"n": number}), 33.0)
    sixth = rooms.receive(ANNA, track({"n": 9}), 34.0)

    assert told(sixth, ANNA) == [shut("Client presence rate limit exceeded"), ("phx_close", {})]
    assert rooms.sizes == {}


def test_a_room_has_a_rate_of_its_own() -> None:
    rooms = rooms_of(Limits(message_rate=1e9, message_burst=1e9))
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(BEN, join("b"), 0.0)

    assert sum(bool(rooms.receive(ANNA, broadcast("x", {}), 0.0)) for _ in range(1000)) == 900
    assert rooms.inject(TOPIC, "x", {}, 0.0) is None
    assert rooms.dropped["room-flood"] == 101


def test_a_broadcast_from_outside_reaches_the_whole_room_and_one_of_the_hub_all_rooms() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a"), 0.0)
    rooms.receive(BEN, join("b"), 0.0)
    rooms.receive(BEN, join("b", topic="realtime:room:OTHER"), 0.0)

    injected = rooms.inject(TOPIC, "tempo-change", {"tempo": 90}, 0.0)
    nowhere = rooms.inject("realtime:room:NOBODY", "tempo-change", {"tempo": 90}, 0.0)
    hub = rooms.tell_all("hub-moved", {"page": "https://pi:3443"})

    body = {"type": "broadcast", "event": "tempo-change", "payload": {"tempo": 90}}
    assert injected == [(socket, Frame(TOPIC, "broadcast", body)) for socket in (ANNA, BEN)]
    assert nowhere == []
    assert [(socket, frame.topic) for socket, frame in hub] == [
        (ANNA, TOPIC),
        (BEN, TOPIC),
        (BEN, "realtime:room:OTHER"),
    ]
    assert {frame.payload["event"] for _, frame in hub} == {"hub-moved"}


def test_what_the_sender_says_beside_the_payload_is_relayed_but_not_a_binary_frames_metadata() -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a", self_=True), 0.0)
    said = {"type": "broadcast", "event": "x", "payload": {}, "meta": {"id": "1"}}

    text = rooms.receive(ANNA, Frame(TOPIC, "broadcast", said, "9", "1"), 0.0)
    binary = rooms.receive(ANNA, Frame(TOPIC, "broadcast", {**said, "payload": b"\x00"}, "9", "1", binary=True), 0.0)

    assert text == [(ANNA, Frame(TOPIC, "broadcast", said))]
    assert binary == [(ANNA, phoenix.broadcast(TOPIC, "x", b"\x00"))]


@pytest.mark.parametrize("ack", [False, True])
def test_what_is_too_long_is_refused_and_the_channel_stays(ack: bool) -> None:
    rooms = rooms_of()
    rooms.receive(ANNA, join("a", ack=ack), 0.0)
    rooms.receive(BEN, join("b"), 0.0)

    deliveries = rooms.receive(ANNA, replace(broadcast("x", {}), size=256 * 1024 + 1), 0.0)

    assert told(deliveries, ANNA) == [error("payload_size_exceeded")] * ack
    assert told(deliveries, BEN) == []
    assert rooms.sizes == {TOPIC: 2}


def test_postgres_changes_are_agreed_to_with_an_id_each_and_private_is_like_public() -> None:
    rooms = rooms_of()
    asked = {"event": "INSERT", "schema": "public", "table": "sessions"}
    config = {"postgres_changes": [asked, None, asked], "private": True, "broadcast": {"replay": {"since": 0}}}

    reply = told(rooms.receive(ANNA, Frame(TOPIC, "phx_join", {"config": config}, "1", "1"), 0.0), ANNA)[0][1]

    assert reply == {"status": "ok", "response": {"postgres_changes": [{**asked, "id": 1}, {**asked, "id": 2}]}}


def test_a_topic_without_a_name_is_refused() -> None:
    rooms = rooms_of()

    reply = told(rooms.receive(ANNA, join("a", topic="realtime:"), 0.0), ANNA)

    assert reply == [error("TopicNameRequired: You must provide a topic name")]


sockets = st.integers(0, 5).map(SocketId)
topics = st.sampled_from(["realtime:room:A", "realtime:room:B", "elsewhere", "phoenix"])
events = st.sampled_from(["phx_join", "phx_leave", "broadcast", "presence", "heartbeat", "access_token", "odd"])
keys = st.sampled_from(["a", "b", "c", "d", "", None, 7])
payloads = st.one_of(
    st.just({}),
    st.builds(
        lambda key, on, ack: {
            "config": {"broadcast": {"self": on, "ack": ack}, "presence": {"key": key, "enabled": on}}
        },
        keys,
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        lambda event, name, key: {"event": event, "payload": {"name": name, "fromPeerId": key}},
        st.sampled_from(["track", "untrack", "tempo-change", None]),
        st.integers(0, 2),
        keys,
    ),
    st.dictionaries(st.sampled_from(["config", "event", "payload"]), st.sampled_from([None, 1, [], {}, "track"])),
)


class RoomsModel(RuleBasedStateMachine):
    """Whatever sockets send in whatever order: what every watcher has been shown is what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms = rooms_of(Limits(max_members=3, join_burst=30, message_burst=30))
        self.open: set[SocketId] = set()
        self.seen: dict[tuple[SocketId, str], dict[str, set[str]]] = {}

    @rule(socket=sockets, topic=topics, event=events, payload=payloads)
    def frame(self, socket: SocketId, topic: str, event: str, payload: dict[str, Any]) -> None:
        self.open.add(socket)
        self.watch(self.rooms.receive(socket, Frame(topic, event, payload, "1", "1"), 0.0))

    @rule(socket=sockets)
    def disconnect(self, socket: SocketId) -> None:
        self.open.discard(socket)
        deliveries = self.rooms.disconnect(socket)
        assert all(to != socket for to, _ in deliveries)
        self.seen = {place: state for place, state in self.seen.items() if place[0] != socket}
        self.watch(deliveries)

    def watch(self, deliveries: Deliveries) -> None:
        for to, frame in deliveries:
            assert to in self.open
            place = (to, frame.topic)
            match frame.event:
                case "phx_close":
                    self.seen.pop(place, None)
                case "presence_state":
                    self.seen[place] = {key: references(entry) for key, entry in frame.payload.items()}
                case "presence_diff" if place in self.seen:
                    apply(self.seen[place], frame.payload)

    @invariant()
    def sockets_and_rooms_agree(self) -> None:
        members = {(socket, topic) for socket in self.open for topic in self.rooms.topics(socket)}
        sizes = self.rooms.sizes
        assert all(sizes.values())
        assert {topic: sum(place == topic for _, place in members) for topic in sizes} == sizes
        assert set(self.seen) <= members

    @invariant()
    def keys_of_a_room_are_different(self) -> None:
        for topic in self.rooms.sizes:
            state = next((state for (_, place), state in self.seen.items() if place == topic), {})
            assert all(len(metas) == 1 for metas in state.values())

    @invariant()
    def watchers_of_a_room_see_the_same(self) -> None:
        for topic in self.rooms.sizes:
            views = [state for (_, place), state in self.seen.items() if place == topic]
            assert all(view == views[0] for view in views)


def references(entry: dict[str, Any]) -> set[str]:
    return {meta["phx_ref"] for meta in entry["metas"]}


def apply(state: dict[str, set[str]], diff: dict[str, Any]) -> None:
    for key, entry in diff["joins"].items():
        state[key] = state.get(key, set()) | references(entry)
    for key, entry in diff["leaves"].items():
        state[key] = state.get(key, set()) - references(entry)
        if not state[key]:
            del state[key]


TestRoomsModel = RoomsModel.TestCase
TestRoomsModel.settings = settings(stateful_step_count=40)
