import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.midi import message as midi
from jambridge.midi.message import Parser
from tests.midi.messages import CHANNEL_MESSAGES, SYSEX

REAL_TIME = b"\xf8\xfa\xfb\xfc\xfe\xff"
DATA, OF_TWO, OF_ONE = rb"[\x00-\x7f]", rb"[\x80-\xbf\xe0-\xef]", rb"[\xc0-\xdf]"
WHOLE = rb"%b(?:%b%b)+|%b%b+|\xf0%b*\xf7|[\xf1\xf3]%b|\xf2%b%b|\xf6" % (OF_TWO, DATA, DATA, OF_ONE, *[DATA] * 5)
PENDING = rb"%b(?:%b%b)*%b?|%b%b*|\xf0%b*|[\xf1\xf3]|\xf2%b?" % (OF_TWO, DATA, DATA, DATA, OF_ONE, *[DATA] * 3)
STREAM = re.compile(rb"(?:%b)*(?:%b)?" % (WHOLE, PENDING))
"""Without real-time bytes: whole messages, with running status, and then the beginning of one."""


def test_running_status_real_time_within_and_a_sysex_with_a_clock_in_it() -> None:
    parser = Parser()

    found = parser.feed(bytes.fromhex("90 3c 64 3e f8 65 f0 01 f8 02 f7 b0 40 7f 40 00"))

    assert [one.hex() for one in found] == ["903c64", "f8", "903e65", "f8", "f00102f7", "b0407f", "b04000"]
    assert parser.dropped == 0


def test_what_is_cut_off_or_out_of_place_is_dropped_and_counted() -> None:
    parser = Parser()

    assert parser.feed(bytes.fromhex("3c 64 90 3c 80 3c 40 f0 01 90 3c 01 f7 f4 fd f2 01 02 03")) == [
        bytes.fromhex("803c40"),
        bytes.fromhex("903c01"),
        bytes.fromhex("f20102"),
    ]
    assert parser.dropped == 8  # two data bytes, a note, a sysex, its stray end, f4, fd, and a data byte


def test_a_sysex_without_end_is_given_up() -> None:
    parser = Parser()

    assert parser.feed(b"\xf0" + bytes(midi.MAX_SYSEX)) == []
    assert parser.feed(bytes(1000) + b"\xf7\x90\x3c\x01") == [b"\x90\x3c\x01"]
    assert parser.dropped == 1


@given(st.lists(st.one_of(CHANNEL_MESSAGES, SYSEX, st.sampled_from([b"\xf8", b"\xfe", b"\xf6", b"\xf2\x01\x02"]))))
def test_whole_messages_come_out_as_they_went_in_wherever_they_are_cut(messages: list[bytes]) -> None:
    parser = Parser()

    found = [one for byte in b"".join(messages) for one in parser.feed(bytes((byte,)))]

    assert found == messages
    assert parser.dropped == 0


@given(st.lists(st.tuples(st.one_of(CHANNEL_MESSAGES, SYSEX), st.booleans())), st.data())
def test_running_status_and_real_time_bytes_anywhere_change_nothing(
    messages: list[tuple[bytes, bool]], data: st.DataObject
) -> None:
    stream, status = bytearray(), 0
    for message, is_short in messages:
        stream += message[1:] if is_short and message[0] == status < midi.SYSEX else message
        status = message[0]
    ticks = data.draw(st.lists(st.tuples(st.integers(0, len(stream)), st.sampled_from(REAL_TIME))))
    for place, tick in ticks:
        stream.insert(place, tick)
    parser = Parser()

    found = parser.feed(bytes(stream))

    assert [one for one in found if one[0] not in REAL_TIME] == [message for message, _ in messages]
    assert sum(one[0] in REAL_TIME for one in found) == len(ticks)
    assert parser.dropped == 0


@given(st.lists(st.sampled_from(b"\x00\x7f\x90\xb1\xc0\xf0\xf7\xf1\xf2\xf6\xf4\xf8\xfd"), max_size=12).map(bytes))
def test_something_is_dropped_where_the_bytes_are_no_messages_and_the_beginning_of_one(data: bytes) -> None:
    parser = Parser()

    parser.feed(data)

    is_whole = STREAM.fullmatch(bytes(byte for byte in data if byte not in REAL_TIME)) is not None
    assert (parser.dropped == 0) == is_whole


@given(st.binary(max_size=200))
def test_any_bytes_give_whole_messages_and_nothing_else(data: bytes) -> None:
    for message in Parser().feed(data):
        if midi.is_channel_message(message):
            assert midi.checked(list(message)) == message
        elif message[0] == midi.SYSEX:
            assert message[-1] == midi.SYSEX_END and all(one < 0x80 for one in message[1:-1])


@given(st.lists(st.one_of(st.integers(-2, 260), st.none(), st.booleans(), st.floats(), st.text(max_size=2))))
def test_any_list_is_a_channel_message_or_a_wire_error(numbers: list[object]) -> None:
    try:
        message = midi.checked(numbers)
    except WireError:
        return
    assert list(message) == numbers


@pytest.mark.parametrize("numbers", [[], [0x90, 60], [0x90, 60, 128], [0xC0, 1, 1], [0xF8], [0xF0, 0xF7], [60, 60, 60]])
def test_what_peers_do_not_send(numbers: list[object]) -> None:
    with pytest.raises(WireError):
        midi.checked(numbers)
