import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.midi import message as midi
from jambridge.midi import wire
from jambridge.midi.choice import ALL, choose, complaint
from jambridge.midi.echo import WITHIN_S, Echoes
from jambridge.midi.held import BURST
from jambridge.midi.receiving import SILENT_TIMES, Receiving, channels
from jambridge.midi.sending import Sending
from jambridge.units import LocalSeconds, PeerId, RoomSeconds

ON, OFF = b"\x90\x3c\x40", b"\x80\x3c\x40"
ADA = PeerId("ada")


def sending() -> Sending:
    return Sending(lambda local: RoomSeconds(local + 50.0))


def receiving(**options: float | bool) -> Receiving:
    find = channels({"Ada": 3})
    return Receiving(
        lambda peer: find(peer, "unknown"),
        lambda local: RoomSeconds(local + 50.0),
        lambda room: LocalSeconds(room - 50.0),
        **options,  # type: ignore[arg-type]
    )


def sent_until(one: Sending, end: float) -> list[tuple[float, str]]:
    """Every text that is due until then, at its time."""
    texts: list[tuple[float, str]] = []
    while one.due is not None and one.due <= end:
        at = one.due
        texts.append((at, one.text(at)))
    return texts


def test_a_note_goes_at_once_and_its_journal_twice_in_quiet_and_on_while_it_is_held() -> None:
    one = sending()
    one.play(1, ON, LocalSeconds(10.0))
    moments = [round(at - 10, 3) for at, _ in sent_until(one, 11.0)]
    one.play(1, OFF, LocalSeconds(11.0))
    after = [round(at - 11, 3) for at, _ in sent_until(one, 20.0)]

    assert moments == [0, 0.02, 0.1, 0.35, 0.6, 0.85]
    assert after == [0, 0.02, 0.1]


def test_a_note_does_not_wait_for_those_just_before_it_and_many_are_paced() -> None:
    one = sending()
    moments = []
    for number in range(6):
        one.play(1, bytes((0x90, number, 1)), LocalSeconds(10.0))
        assert one.due is not None
        moments.append(round(one.due - 10, 3))
        one.text(one.due)

    assert moments == [0, 0, 0, 0, 0.002, 0.004]


def test_who_leaves_takes_nothing_from_the_counts() -> None:
    one, other = sending(), receiving()
    one.play(1, ON, LocalSeconds(10.0))
    for text in ("no JSON", one.text(LocalSeconds(10.0))):
        other.take(ADA, text, LocalSeconds(10.0))
    assert (other.count, other.dropped) == (1, 1)

    other.forget(ADA)
    other.take(ADA, "no JSON", LocalSeconds(10.0))

    assert (other.count, other.dropped) == (1, 2)


def test_a_burst_is_told_in_few_packets_and_in_its_order() -> None:
    one, other = sending(), receiving()
    texts = []
    for note in range(64):
        one.play(1, bytes((0x90, note, 1)), LocalSeconds(10.0))
        texts += sent_until(one, 10.0)
    texts += sent_until(one, 10.5)

    played = [play.message for _, text in texts for play in other.take(PeerId("bo"), text, LocalSeconds(10.0))]

    assert played == [bytes((0x90, note, 1)) for note in range(64)]
    assert len(texts) < 16


@pytest.mark.parametrize("count", [10, 1500])
def test_beyond_the_rate_notes_are_left_out_and_none_hangs(count: int) -> None:
    one, other = sending(), receiving()
    for number in range(count):
        for message in (bytes((0x90, number % 128, 1)), bytes((0x80, number % 128, 1))):
            one.play(1, message, LocalSeconds(10.0))
        for _, text in sent_until(one, 10.0):
            other.take(ADA, text, LocalSeconds(10.0))
    for _, text in sent_until(one, 12.0):
        other.take(ADA, text, LocalSeconds(10.0))

    assert not one.held
    assert not other.players[ADA].reception.held
    assert one.count <= 2 * BURST


def test_an_input_that_is_gone_holds_nothing() -> None:
    one = sending()
    one.play(1, ON, LocalSeconds(10.0))
    one.play(2, b"\x91\x3c\x40", LocalSeconds(10.0))
    one.hush(1, LocalSeconds(11.0))

    assert one.held.notes.keys() == {(1, 60)}


def test_a_players_notes_go_to_its_channel_and_never_overtake_each_other() -> None:
    other = receiving(delay_s=0.02)
    texts = [
        json.dumps({"seq": seq, "time": 60_000 + time, "data": list(ON), "journal": {}})
        for seq, time in ((1, 0), (2, -15), (3, 10_000))
    ]

    plays = [play for text in texts for play in other.take(PeerId("ada"), text, LocalSeconds(10.01))]

    assert [round(play.due, 3) for play in plays] == [10.02, 10.02, 10.21]
    assert {play.message for play in plays} == {b"\x92\x3c\x40"}


def test_who_said_that_it_would_be_heard_and_is_not_has_gone() -> None:
    one, other = sending(), receiving()
    one.play(1, ON, LocalSeconds(10.0))
    ((_, text), *_) = sent_until(one, 10.0)
    other.take(ADA, text, LocalSeconds(10.0))
    bo = json.dumps({"seq": 1, "time": 0, "data": list(ON)})
    other.take(PeerId("bo"), bo, LocalSeconds(10.0))

    assert other.silent(LocalSeconds(10.0 + SILENT_TIMES * 0.25)) == []
    assert other.silent(LocalSeconds(10.01 + SILENT_TIMES * 0.25)) == [ADA]
    assert other.hush(ADA, LocalSeconds(12.0)) is not None
    assert other.silent(LocalSeconds(20.0)) == []


@given(st.text(max_size=30))
def test_nonsense_on_a_channel_is_counted(text: str) -> None:
    other = receiving(sysex=True)

    assert other.take(ADA, text, LocalSeconds(1.0)) == []
    assert other.take_sysex(ADA, text, LocalSeconds(1.0)) is None
    assert other.players[ADA].dropped == 2


def test_system_exclusives_are_taken_where_they_are_wanted_and_not_without_end() -> None:
    sysex = b"\xf0" + bytes(5000) + b"\xf7"
    texts = [wire.encode_chunk(chunk) for number in range(30) for chunk in wire.chunks(number, sysex)]

    unwanted, wanted = receiving(), receiving(sysex=True)
    refused = [unwanted.take_sysex(ADA, text, LocalSeconds(1.0)) for text in texts]
    taken = [play for text in texts if (play := wanted.take_sysex(ADA, text, LocalSeconds(1.0)))]

    assert not any(refused)
    assert {play.message for play in taken} == {sysex}
    assert len(taken) * 5002 <= 64 * 1024
    assert wanted.players[ADA].refused > 0


def test_all_ports_are_all_but_our_own_and_those_that_lead_in_circles() -> None:
    present = ["Midi Through:Midi Through Port-0 14:0", "Keys 20:0", "jambridge-midi:pulse", "Synth 24:0", "Keys 20:0"]

    assert choose(present, (ALL,)).ports == ("Keys 20:0", "Synth 24:0")
    assert choose(present, ("synth", "through", "jambridge")).ports == (present[0], "Synth 24:0")
    assert choose(present, ("synth", "jambridge")).missing == ("jambridge",)
    assert choose(present, ()).ports == ()
    for bridge in ("a2j:", "Midi-Bridge:"):
        passed_on = [f"{bridge}{name}" for name in present]
        assert choose(passed_on, (ALL,)).ports == (f"{bridge}Keys 20:0", f"{bridge}Synth 24:0")
    assert complaint("input", ("organ",), present) == (
        f"no MIDI input is called 'organ'; there are: {present[0]}, Keys 20:0, Synth 24:0"
    )


def test_an_echo_is_what_was_just_sent_and_never_the_end_of_an_own_note() -> None:
    echoes = Echoes()
    echoes.sent(ON, LocalSeconds(1.0))
    assert echoes.is_one(1, ON, LocalSeconds(1.01))
    assert not echoes.is_one(1, ON, LocalSeconds(1.02))
    echoes.sent(OFF, LocalSeconds(1.03))
    assert not echoes.is_one(1, OFF, LocalSeconds(1.04))
    assert echoes.is_one(1, OFF, LocalSeconds(1.05))
    echoes.sent(midi.control(0, 1, 1), LocalSeconds(2.0))
    assert not echoes.is_one(1, midi.control(0, 1, 1), LocalSeconds(2.01 + WITHIN_S))
