"""A member of the older protocol follows its room's host by the same rules as all others."""

from jambridge.hub import guest, phoenix
from jambridge.hub.guest import Guest, Said
from jambridge.hub.phoenix import Frame
from jambridge.room.sharing import HOST_GRACE_S
from jambridge.strict_json import JsonObject
from jambridge.units import LocalSeconds, PeerId, RoomCode

WALL_S = 1_790_000_000.0
GONE_S = 90.5
ADA: JsonObject = {"metas": [{"name": "Ada", "isHost": True, "joinedAt": "2026-09-21T14:13:00+00:00"}]}


def in_a_room_of_adas() -> Guest:
    older = Guest(PeerId("older"), RoomCode("ABC123"), {"name": "Old"}, creates=False, state=None, jitter=lambda: 0.5)
    older.enter()
    hear(older, phoenix.PRESENCE_STATE, {"ada": ADA}, 0.0)
    while (due := older.deadline) is not None and due < GONE_S:
        older.tick(due)
    assert older.sharing.host == "ada"
    return older


def hear(older: Guest, event: str, payload: JsonObject, at_s: float) -> Said:
    return older.hear(Frame(older.topic, event, payload), WALL_S + at_s, LocalSeconds(at_s))


def gone(older: Guest) -> Said:
    return hear(older, phoenix.PRESENCE_DIFF, {"joins": {}, "leaves": {"ada": ADA}}, GONE_S)


def test_a_host_that_is_lost_is_gone_for_the_client_and_host_when_back() -> None:
    older = in_a_room_of_adas()
    assert gone(older).events == [(guest.USER_LEFT, {"userId": "ada"})]
    back = hear(older, phoenix.PRESENCE_DIFF, {"joins": {"ada": ADA}, "leaves": {}}, GONE_S + HOST_GRACE_S - 1)
    assert [(event, payload["user"]["isHost"]) for event, payload in back.events] == [(guest.USER_JOINED, True)]
    older.tick(LocalSeconds(GONE_S + 2 * HOST_GRACE_S))
    assert older.sharing.host == "ada"


def test_a_host_that_is_not_back_in_time_is_replaced() -> None:
    older = in_a_room_of_adas()
    gone(older)
    assert older.deadline == GONE_S + HOST_GRACE_S
    older.tick(older.deadline)
    assert older.sharing.host == "older"


def test_a_guest_that_hosts_names_who_follows_it_and_no_other_says_anything() -> None:
    older = in_a_room_of_adas()
    assert not older.leave(WALL_S + GONE_S).frames
    gone(older)
    older.tick(LocalSeconds(GONE_S + HOST_GRACE_S))
    hear(older, phoenix.PRESENCE_DIFF, {"joins": {"ada": ADA}, "leaves": {}}, GONE_S + HOST_GRACE_S + 1)
    (said,) = older.leave(WALL_S + GONE_S).frames
    assert said.payload["payload"] == {"hostId": "ada", "standing": 1, "fromPeerId": "older"}
