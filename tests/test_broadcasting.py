"""Broadcast mode at the members of a room, with the room's own edges; what is sent over data channels is listed."""

import time
from collections.abc import Mapping

import pytest

from jambridge.broadcasting import Broadcasting
from jambridge.edges import Latest
from jambridge.errors import WireError
from jambridge.light import shared
from jambridge.light.control import LightSettings, Picture, Report, SourceReport
from jambridge.light.discovery import Agreement
from jambridge.light.shared import Led
from jambridge.light.syncmode import Wanted
from jambridge.room.budget import LED_EVENT
from jambridge.room.edges import HUB, SUPABASE, RoomEdges
from jambridge.room.messages import Participant
from jambridge.units import LocalSeconds, PeerId

HOST, ME, BROWSER = PeerId("host"), PeerId("me"), PeerId("tab")
RED = Picture(shared.as_text(bytes([255, 0, 0])))


class Member:
    def __init__(
        self,
        me: PeerId,
        wanted: Wanted,
        seat: str = HUB,
        reachable: tuple[PeerId, ...] = (HOST, ME),
        max_peers: int = 3,
        bridges: tuple[PeerId, ...] = (HOST, ME),
    ) -> None:
        self.room = RoomEdges(me)
        self.settings = Latest(LightSettings())
        self.sent: list[tuple[PeerId, str]] = []
        self._reachable = reachable
        self.agreement = Agreement()
        self.wanted = wanted
        self.broadcasting = Broadcasting(
            lambda: self.wanted, self.room, self.settings, self.agreement, self._send, max_peers
        )
        present = tuple(
            Participant(
                peer,
                peer,
                is_host=peer == HOST,
                joined_at=100.0 + index,
                client="jambridge/1.0.0" if peer in bridges else "",
                sends=peer != BROWSER,
            )
            for index, peer in enumerate((HOST, ME, BROWSER))
        )
        self.seat = self.room.seat(seat)
        self.room.taken(self.seat, present, present)
        if me != HOST:
            self.room.heard("host-change", {"hostId": HOST, "standing": 2}, HOST)
        until = time.monotonic() + 20
        while self.room.view.value.host != HOST and time.monotonic() < until:
            time.sleep(0.05)  # who comes into a room asks for its host before it is one
            self.room.tick()

    def _send(self, to: PeerId, text: str) -> bool:
        self.sent.append((to, text))
        return to in self._reachable

    def said(self) -> list[Mapping[str, object]]:
        """What waits to be said in the room."""
        found: list[Mapping[str, object]] = []
        while said := self.seat.outbox.take(LocalSeconds(time.monotonic())):
            if said.event == LED_EVENT:
                found.append(said.payload)
        return found

    def look(self, report: Report | None = None, at: float = 0.0) -> str:
        """`at`: seconds from now."""
        self.broadcasting.look(report, LocalSeconds(time.monotonic() + at))
        return self.settings.value.mode


def test_the_host_tells_its_colours_to_everyone_by_the_way_there_is() -> None:
    host = Member(HOST, "broadcast", reachable=(ME,))
    host.look()
    assert host.settings.value.shares

    host.broadcasting.tell(RED)

    assert [to for to, _ in host.sent] == [ME, BROWSER]
    assert shared.decode_text(host.sent[0][1]) == Led(bytes([255, 0, 0]), 1)
    assert host.said() == [shared.payload(Led(bytes([255, 0, 0]), 1))]
    assert host.settings.value.mode == "local", "it shows its own"


def test_where_the_data_channels_reach_all_the_room_hears_nothing() -> None:
    host = Member(HOST, "broadcast", reachable=(ME, BROWSER))

    host.broadcasting.tell(RED)

    assert host.said() == []


@pytest.mark.parametrize("wanted", ["auto", "local"])
def test_only_a_host_that_is_to_broadcast_does(wanted: Wanted) -> None:
    host, guest = Member(HOST, wanted), Member(ME, "broadcast")
    host.look()
    guest.look()

    guest.broadcasting.tell(RED)

    assert not host.settings.value.shares and not guest.settings.value.shares
    assert not guest.sent


@pytest.mark.parametrize(("seat", "fade_s"), [(HUB, 0.0), (SUPABASE, 0.5)])
def test_the_hosts_colours_are_shown_while_they_come(seat: str, fade_s: float) -> None:
    guest = Member(ME, "broadcast", seat)
    assert guest.look() == "local"

    guest.broadcasting.hear_payload(shared.payload(Led(bytes([255, 0, 0]), 7)), HOST)

    assert guest.look() == "broadcast"
    assert guest.broadcasting.given.value == Picture(RED.rgb, fade_s)


def test_an_older_picture_by_another_way_is_not_shown_but_a_host_that_began_anew_is() -> None:
    guest = Member(ME, "broadcast")
    for sequence, level in ((5000, 1), (4999, 2), (5000, 3), (3, 4)):
        guest.broadcasting.hear_text(HOST, shared.encode_text(Led(bytes([level] * 3), sequence)))

    assert guest.broadcasting.given.value == Picture(shared.as_text(bytes([4] * 3)))


def test_the_documents_own_event_is_shown_as_it_comes_where_only_the_host_can_have_sent_it() -> None:
    guest = Member(ME, "broadcast", bridges=(ME, BROWSER))
    shown = []
    for level in (9, 8, 7):
        guest.broadcasting.hear_payload({"colors": [{"r": level, "g": 0, "b": 0}]}, PeerId(""))
        shown.append(guest.broadcasting.given.value)

    assert shown == [Picture(shared.as_text(bytes([level, 0, 0]))) for level in (9, 8, 7)]
    assert guest.look() == "broadcast"

    guest.broadcasting.hear_text(HOST, shared.encode_text(Led(bytes(3), 0)))
    assert guest.broadcasting.given.value == Picture(shared.as_text(bytes(3))), "numbers begin when they come"


@pytest.mark.parametrize("bridges", [(HOST, ME), (HOST, ME, BROWSER), (ME,)])
def test_who_does_not_say_who_it_is_may_be_any_that_is_no_bridge(bridges: tuple[PeerId, ...]) -> None:
    guest = Member(ME, "broadcast", bridges=bridges)

    guest.broadcasting.hear_payload({"colors": [{"r": 9, "g": 0, "b": 0}]}, PeerId(""))

    assert guest.broadcasting.given.value is None
    assert guest.broadcasting.dropped == 1


def test_nobody_else_is_believed_and_nonsense_is_counted() -> None:
    guest = Member(ME, "broadcast")

    guest.broadcasting.hear_text(BROWSER, shared.encode_text(Led(bytes(3), 1)))
    guest.broadcasting.hear_text(HOST, '{"type": "led", "rgb": 5}')
    guest.broadcasting.hear_text(HOST, '{"type": "ping"}')
    with pytest.raises(WireError):
        guest.broadcasting.hear_payload({"colors": "all"}, HOST)

    assert guest.broadcasting.given.value is None
    assert guest.broadcasting.dropped == 2
    assert guest.look() == "local"


def test_auto_stays_with_its_own_ears_while_they_hear() -> None:
    guest = Member(ME, "auto")
    guest.broadcasting.hear_text(HOST, shared.encode_text(Led(bytes(3), 1)))
    hears = Report(1, 0, 0, 0.0, 0.0, (SourceReport(HOST, "host", (), False, -20.0, 0.1),), ())

    assert guest.look(hears) == "local"


def deaf(ticks: int = 1) -> Report:
    return Report(1, ticks, 0, 0.0, 0.0, (), ())


def test_who_sends_beyond_those_who_play_is_not_missed_but_misses_them_itself() -> None:
    listener = Member(BROWSER, "auto", max_peers=0)
    hears = Report(1, 1, 0, 0.0, 0.0, (SourceReport(HOST, "host", (), False, -20.0, 0.1),), ())
    one_too_many = Member(ME, "auto", max_peers=0)
    for at in (-4, -1):
        listener.look(hears, at=at)
        one_too_many.look(deaf(), at=at)

    assert not listener.agreement.asks.value
    assert one_too_many.agreement.asks.value


def test_auto_without_its_ears_asks_the_host_and_an_auto_host_tells_while_it_is_asked() -> None:
    host, guest = Member(HOST, "auto"), Member(ME, "auto")
    assert guest.look(deaf(), at=-4) == "local"
    assert guest.look(deaf(), at=-1) == "local", "there is nothing to follow yet"
    assert guest.agreement.asks.value

    host.look()
    assert not host.settings.value.shares
    host.agreement.is_asked.set(True)
    host.look()
    assert host.settings.value.shares
    assert host.settings.value.mode == "local", "it shows its own"
    host.broadcasting.tell(RED)
    guest.broadcasting.hear_text(HOST, host.sent[0][1])

    assert guest.look(deaf(), at=1) == "broadcast"
    hears = Report(1, 0, 0, 0.0, 0.0, (SourceReport(HOST, "host", (), False, -20.0, 0.1),), ())
    guest.look(hears, at=30)
    assert guest.agreement.asks.value
    guest.look(hears, at=32)
    assert not guest.agreement.asks.value


def test_a_host_does_not_ask_itself() -> None:
    host = Member(HOST, "auto")
    for at in (0, 3, 6):
        host.look(deaf(), at=at)

    assert not host.agreement.asks.value


def test_who_changes_their_mind_is_obeyed() -> None:
    host, guest = Member(HOST, "local"), Member(ME, "local")
    host.look()
    guest.broadcasting.hear_text(HOST, shared.encode_text(Led(bytes(3), 1)))
    assert (host.settings.value.shares, guest.look()) == (False, "local")

    host.wanted = guest.wanted = "broadcast"
    host.look()
    assert (host.settings.value.shares, guest.look()) == (True, "broadcast")
    assert guest.agreement.asks.value

    host.wanted = guest.wanted = "local"
    host.look()
    assert (host.settings.value.shares, guest.look()) == (False, "local")


def test_the_moment_of_a_picture_goes_with_it() -> None:
    host, guest = Member(HOST, "broadcast"), Member(ME, "broadcast")

    host.broadcasting.tell(Picture(RED.rgb, at_s=12.5))
    guest.broadcasting.hear_text(HOST, host.sent[0][1])

    assert guest.broadcasting.given.value == Picture(RED.rgb, at_s=12.5)
