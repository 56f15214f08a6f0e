"""What is sent through a network that loses, doubles and turns round, and what comes out of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.midi import message as midi
from jambridge.midi import wire
from jambridge.midi.held import Held
from jambridge.midi.journal import Journal, Reception
from jambridge.units import LocalSeconds, RoomSeconds
from tests.midi.messages import PLAYED

NOTE = bytes((0x90, 60, 100))
NOW = LocalSeconds(0)


def texts(messages: list[bytes], apart_s: float = 0.01) -> list[str]:
    """Each message in a packet of its own, and the journal alone at the end."""
    journal, held, sent = Journal(), Held(), []
    for number, message in enumerate(messages):
        held.take(message)
        journal.add(message, RoomSeconds(number * apart_s))
        sent.append(journal.text(held, RoomSeconds(number * apart_s)))
    return [*sent, journal.text(held, RoomSeconds(len(messages) * apart_s))]


def played(reception: Reception, sent: list[str]) -> list[bytes]:
    return [event.message for text in sent for event in reception.take(wire.decode(text), NOW)]


def test_a_note_as_the_contract_has_it() -> None:
    first, second, alone = texts([NOTE, midi.control(0, 64, 127)])

    assert json.loads(first) == {
        "seq": 1,
        "time": 0.0,
        "data": [144, 60, 100],
        "journal": {"events": [], "held": [[0, 60, 100]], "pedals": []},
        "alive": 250,
    }
    assert json.loads(second)["journal"]["events"] == [[1, 0.0, [144, 60, 100]]]
    assert json.loads(alone).keys() == {"seq", "time", "journal", "alive"}
    assert json.loads(alone)["seq"] == 2


@given(st.lists(PLAYED, max_size=40))
def test_through_a_good_network_everything_comes_once(messages: list[bytes]) -> None:
    reception = Reception()

    assert played(reception, texts(messages)) == messages
    assert reception.lost == 0


@given(st.lists(PLAYED, min_size=1, max_size=40), st.data())
def test_whatever_is_lost_doubled_or_late_nothing_hangs(messages: list[bytes], data: st.DataObject) -> None:
    sent = texts(messages)
    arriving = data.draw(st.lists(st.sampled_from(sent), max_size=60)) + sent[-1:]
    reception, instrument, source = Reception(), Held(), Held()
    for message in messages:
        source.take(message)

    for message in played(reception, arriving):
        instrument.take(message)

    assert instrument.notes.keys() <= source.notes.keys()
    assert instrument.pedals.keys() <= source.pedals.keys()


@given(st.lists(st.integers(40, 80), min_size=2, max_size=60), st.data())
def test_what_is_lost_for_less_than_the_journal_is_long_comes_all_the_same(
    notes: list[int], data: st.DataObject
) -> None:
    messages = [bytes((0x90, note, 1)) for note in notes]
    sent = texts(messages)
    start = data.draw(st.integers(1, len(messages) - 1))
    lost = data.draw(st.integers(0, min(wire.MOST_EVENTS, len(sent) - start) - 1))
    reception = Reception()

    assert played(reception, sent[:start] + sent[start + lost :]) == messages
    assert reception.lost == 0


def test_a_note_whose_end_is_lost_ends_with_the_next_packet() -> None:
    reception = Reception()
    on, _, *_ = texts([NOTE, midi.note_off(0, 60)])
    journal = Journal()
    journal.sequence = 40

    assert played(reception, [on]) == [NOTE]
    assert played(reception, [journal.text(Held(), RoomSeconds(9))]) == [midi.note_off(0, 60)]
    assert reception.lost == 39
    assert not reception.held


def test_who_is_not_heard_any_more_lets_everything_go() -> None:
    reception = Reception()
    played(reception, texts([NOTE, midi.control(0, 64, 127)]))

    assert reception.forget() == [midi.note_off(0, 60), midi.control(0, 64, 0)]
    assert not reception.held


def test_a_packet_with_what_is_held_stays_within_a_datagram() -> None:
    journal, held = Journal(), Held()
    for note in range(128):
        held.take(bytes((0x9F, note, 127)))
        journal.add(bytes((0x9F, note, 127)), RoomSeconds(1e6))
        assert len(journal.text(held, RoomSeconds(1e6))) < 1200
    assert len(journal.text(held, RoomSeconds(1e6))) <= wire.MAX_BYTES


@given(st.text(max_size=100) | st.binary(max_size=100).map(lambda data: data.decode("utf-8", "replace")))
def test_any_text_is_a_packet_or_a_wire_error(text: str) -> None:
    for decode in (wire.decode, wire.decode_chunk):
        try:
            decode(text)
        except WireError:
            continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**60) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("seq", "time", "data", "alive", "id", "index", "count"), JSON),
            "journal": JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(("events", "held", "pedals"), JSON)),
        },
    )
)
def test_any_json_is_a_packet_or_a_wire_error(content: dict[str, object]) -> None:
    text = json.dumps(content)
    for decode in (wire.decode, wire.decode_chunk):
        try:
            decode(text)
        except WireError:
            continue


@pytest.mark.parametrize(
    "content",
    [
        {"seq": 1, "time": 0, "data": [248], "journal": {}},
        {"seq": 1, "time": 0, "data": [144, 60], "journal": {}},
        {"seq": 1, "time": 0, "journal": {"events": [[2, 0, [144, 60, 1]]]}},
        {"seq": 1, "time": 0, "journal": {"held": [[16, 60, 1]]}},
        {"seq": 1, "time": 0, "journal": {"held": [[0, 60, 1]] * 129}},
        {"seq": -1, "time": 0},
        {"seq": 2**53, "time": 0},
        {"seq": 1},
    ],
)
def test_what_makes_no_sense_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(WireError):
        wire.decode(json.dumps(content))


@given(st.binary(max_size=20_000).map(lambda data: bytes((0xF0, *(one & 0x7F for one in data), 0xF7))))
def test_a_system_exclusive_comes_whole_out_of_its_parts(sysex: bytes) -> None:
    assembly = wire.Assembly()

    found = [assembly.take(wire.decode_chunk(wire.encode_chunk(part))) for part in wire.chunks(7, sysex)]

    assert found == [None] * (len(found) - 1) + [sysex]


def test_parts_out_of_order_or_no_system_exclusive_at_all_are_dropped() -> None:
    assembly = wire.Assembly()
    sysex = b"\xf0" + bytes(10_000) + b"\xf7"
    first, second, third = wire.chunks(1, sysex)

    assert [assembly.take(one) for one in (first, third, second, third)] == [None, None, None, sysex]
    assert assembly.take(wire.Chunk(2, 0, 1, b"\x90\x3c\x40")) is None
    assert assembly.dropped == 2
