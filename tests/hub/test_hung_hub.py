"""A hub that stood still has lost its members, not they it: its guests go on as those do who were away."""

from jambridge.hub import guest, phoenix
from jambridge.hub.guest import Guest, Said
from jambridge.hub.phoenix import Frame
from jambridge.room.presence import REJOIN_GRACE_S
from jambridge.strict_json import JsonObject
from jambridge.units import LocalSeconds, PeerId, RoomCode

WALL_S = 1_790_000_000.0
ADA: JsonObject = {"metas": [{"name": "Ada", "isHost": True, "joinedAt": "2026-09-21T14:13:00+00:00"}]}


def in_a_room_of_adas() -> Guest:
    older = Guest(PeerId("older"), RoomCode("ABC123"), {"name": "Old"}, creates=False, state=None, jitter=lambda: 0.5)
    older.enter()
    hear(older, phoenix.PRESENCE_STATE, {"ada": ADA}, 0.0)
    awake(older, 1, 30)
    assert older.sharing.host == "ada"
    return older


def hear(older: Guest, event: str, payload: JsonObject, at_s: float) -> Said:
    return older.hear(Frame(older.topic, event, payload), WALL_S + at_s, LocalSeconds(at_s))


def awake(older: Guest, first_s: int, last_s: int) -> list[str]:
    """The events it has for its client while it ticks each second."""
    said = [older.tick(LocalSeconds(at_s)) for at_s in range(first_s, last_s + 1)]
    return [event for one in said for event, _ in one.events]


def gone() -> JsonObject:
    return {"joins": {}, "leaves": {"ada": ADA}}


def test_it_asks_to_be_woken_every_second() -> None:
    older = in_a_room_of_adas()
    assert older.deadline is not None
    assert older.deadline <= 31


def test_who_leaves_a_hub_that_runs_has_left() -> None:
    older = in_a_room_of_adas()
    said = hear(older, phoenix.PRESENCE_DIFF, gone(), 30.5)
    assert said.events == [(guest.USER_LEFT, {"userId": "ada"})]
    assert older.sharing.host == "older"


def test_who_is_lost_by_a_hub_that_stood_still_is_host_when_back() -> None:
    older = in_a_room_of_adas()
    assert not hear(older, phoenix.PRESENCE_DIFF, gone(), 90.0).events
    assert not awake(older, 91, 93)
    assert not hear(older, phoenix.PRESENCE_DIFF, {"joins": {"ada": ADA}, "leaves": {}}, 93.5).events
    assert not awake(older, 94, 120)
    assert older.sharing.host == "ada"


def test_who_is_not_back_in_time_has_left() -> None:
    older = in_a_room_of_adas()
    hear(older, phoenix.PRESENCE_DIFF, gone(), 90.0)
    ended_s = int(90 + REJOIN_GRACE_S)
    assert not awake(older, 91, ended_s - 1)
    assert older.sharing.host == "ada"
    assert awake(older, ended_s, ended_s + 1) == [guest.USER_LEFT]
    assert older.sharing.host == "older"
