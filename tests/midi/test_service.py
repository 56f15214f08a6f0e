"""The bridge by itself, between a process and peers that are slow, and a room that has a host."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from jambridge.edges import Latest
from jambridge.midi import control
from jambridge.midi.control import Followed, Hush, Play, Played, Tick
from jambridge.midi.rate import Rate
from jambridge.midi.service import Around, Bridge
from jambridge.peers.channels import KINDS, SYSEX
from jambridge.room.edges import HUB, RoomEdges
from jambridge.room.flood import FloodGuard
from jambridge.room.messages import Participant
from jambridge.sync.beat import Beat
from jambridge.sync.clock import Course
from jambridge.units import LocalSeconds, PeerId, RoomSeconds

ADA = Participant(PeerId("ada"), "Ada", is_host=True, joined_at=1.7e9)
ME = replace(ADA, id=PeerId("me"), name="Box", is_host=False, joined_at=1.7e9 + 1)
NOW = LocalSeconds(10.0)
NOTES = [bytes((0x90, note, 1)) for note in range(60, 64)]
SHORT = b"\xf0\x7d\x01\x02\xf7"


def bridge(
    change: Callable[[str, object], None] = lambda _field, _value: None,
    send_sysex: Callable[[str], object] = lambda _text: True,
) -> Bridge:
    clock = Latest(Tick(Course(LocalSeconds(0), RoomSeconds(0)), Beat(RoomSeconds(0))))
    around = Around(lambda _text: None, send_sysex, lambda: {ADA.id}, lambda _peer: None, change, clock, lambda: None)
    return Bridge(around, forward=True, receive=True, sysex=True)


class Process:
    """Its queue, which is full or not."""

    def __init__(self) -> None:
        self.is_full = False
        self.taken: list[bytes] = []

    def post(self, packet: bytes) -> bool:
        if not self.is_full:
            self.taken.append(packet)
        return not self.is_full

    def heard(self) -> list[bytes | Hush]:
        """The messages that it is to play, and what it is to end."""
        events = [(control.unpack(packet), packet) for packet in self.taken]
        return [
            event.message if isinstance(event, Play) else control.decode(packet)  # type: ignore[misc]
            for event, packet in events
        ]


def receive(one: Bridge, *notes: bytes) -> None:
    for note in notes:
        text = json.dumps({"seq": note[1], "time": 0, "data": list(note)})
        one.receive(ADA.id, text, NOW)


def test_where_the_process_takes_no_more_what_it_was_told_ends_before_anything_new_begins() -> None:
    one, process = bridge(), Process()
    one.open(process.post)
    receive(one, NOTES[0])
    process.is_full = True
    receive(one, NOTES[1], NOTES[2])
    assert one.overflows == 1
    process.is_full = False
    receive(one, NOTES[3])

    assert process.heard() == [NOTES[0], Hush(1), NOTES[3]]


def test_what_is_owed_is_done_where_nothing_new_comes() -> None:
    one, process = bridge(), Process()
    one.open(process.post)
    receive(one, NOTES[0])
    process.is_full = True
    receive(one, NOTES[1])
    one.look()
    process.is_full = False
    one.look()
    one.look()

    assert process.heard() == [NOTES[0], Hush(1)]


def test_an_editors_short_exclusives_are_all_sent_and_a_flood_of_them_makes_no_peer_deaf() -> None:
    sent: list[LocalSeconds] = []
    now = LocalSeconds(0.0)

    def send(_text: str) -> bool:
        sent.append(now)
        return True

    one = bridge(send_sysex=send)
    for number in range(1000):
        now = LocalSeconds(number / 50)
        one.play(Played(1, now, SHORT))
    assert (len(sent), one.unsent) == (1000, 0)
    for number in range(5000):
        now = LocalSeconds(20 + number / 1000)
        one.play(Played(1, now, SHORT))

    guard = FloodGuard(KINDS[SYSEX].rate, KINDS[SYSEX].burst)
    assert all(guard.admit(at) for at in sent)
    assert len(sent) + one.unsent == 6000


def test_an_exclusive_of_which_a_peer_did_not_take_a_part_is_counted() -> None:
    taken = iter([True, False, True])
    one = bridge(send_sysex=lambda _text: next(taken))

    one.play(Played(1, NOW, b"\xf0" + bytes(9000) + b"\xf7"))

    assert one.unsent == 1
    assert list(taken) == []


def test_a_clock_that_comes_in_sets_the_rooms_tempo_and_transport() -> None:
    room = RoomEdges(ME.id)
    one = bridge(change=room.change)
    for news in (Followed(tempo=97.5), Followed(is_playing=True), Followed(tempo=400.0), Followed(tempo=30.0)):
        one.follow(news)

    assert (room.state.value.tempo, room.state.value.is_playing) == (97.5, True)


def test_where_only_the_host_may_a_clock_that_comes_in_sets_nothing() -> None:
    room = RoomEdges(ME.id, host_only=True)
    room.taken(room.seat(HUB), (ADA, ME), (ADA, ME))
    room.heard("host-change", {"hostId": ADA.id}, ADA.id)
    assert room.view.value.host == ADA.id

    one = bridge(change=room.change)
    one.follow(Followed(tempo=97.5, is_playing=True))

    assert (room.state.value.tempo, room.state.value.is_playing) == (120, False)


def test_a_rate_is_that_of_the_last_two_seconds() -> None:
    rate = Rate()
    assert rate.per_s == 0
    for quarter in range(5):
        rate.look(10 * quarter, LocalSeconds(100 + quarter / 4))
    assert rate.per_s == pytest.approx(40)
    for quarter in range(5, 20):
        rate.look(40, LocalSeconds(100 + quarter / 4))
    assert rate.per_s == 0


def test_what_is_played_and_comes_is_counted_a_second() -> None:
    one = bridge()
    one.look()
    one.sending.count += 5
    receive(one, *NOTES)
    one.look()
    (player,) = one.receiving.players.values()

    assert min(one.sent_rate.per_s, one.received_rate.per_s) > 0
    assert player.rate.per_s == 0  # it has been looked at once
