"""The status's shape, of rooms that are made up."""

from typing import Any

from jambridge.room.edges import RoomView
from jambridge.room.messages import Participant
from jambridge.status import snapshot
from jambridge.units import PeerId, RoomCode

BOX, ADA, BEN, CLEO = (PeerId(name) for name in ("box", "ada", "ben", "cleo"))
MEMBERS = tuple(Participant(peer, peer.title(), is_host=False, joined_at=0.0) for peer in (BOX, ADA, BEN, CLEO))


def participants(view: RoomView, **sound: str) -> dict[str, tuple[str, str | None]]:
    """The session and the sound of each, where the status tells `sound` of those that are heard."""
    room = snapshot.room(RoomCode("ABC123"), None, view, BOX, {})
    peers: list[Any] = [{"id": peer, "state": state} for peer, state in sound.items()]
    told = snapshot.whole(1.0, room=room, audio={"peers": peers})
    return {one["id"]: (one["session"], one["audio"]) for one in told["room"]["participants"]}


def test_each_participant_has_the_state_of_its_seat_and_of_its_sound() -> None:
    view = RoomView("connected", MEMBERS, BOX, ("hub",), missing=frozenset({BEN}))

    assert participants(view, ada="connected", ben="reconnecting") == {
        "box": ("connected", None),
        "ada": ("connected", "connected"),
        "ben": ("reconnecting", "reconnecting"),
        "cleo": ("connected", None),
    }


def test_while_the_room_is_lost_everybody_is_awaited_and_sound_goes_on() -> None:
    view = RoomView("reconnecting", MEMBERS, BOX)

    assert participants(view, ada="connected") == {
        "box": ("reconnecting", None),
        "ada": ("reconnecting", "connected"),
        "ben": ("reconnecting", None),
        "cleo": ("reconnecting", None),
    }
