from hypothesis import given
from hypothesis import strategies as st

from jambridge.midi import message as midi
from jambridge.midi.held import Held, Thinning
from jambridge.midi.merge import Merge
from jambridge.units import LocalSeconds
from tests.midi.messages import PLAYED

ON, OFF = bytes((0x90, 60, 100)), bytes((0x80, 60, 0))
PEDAL, RELEASED = midi.control(0, 64, 127), midi.control(0, 64, 0)


def test_a_note_that_two_hold_ends_with_the_second() -> None:
    merge = Merge()

    told = [merge.play(source, message) for source, message in ((1, ON), (2, ON), (1, OFF), (1, OFF), (2, OFF))]

    assert told == [[ON], [ON], [], [], [OFF]]
    assert merge.unheld == 1


def test_a_pedal_that_two_press_is_up_with_the_second() -> None:
    merge = Merge()

    assert merge.play(1, PEDAL) + merge.play(2, midi.control(0, 64, 90)) == [PEDAL, PEDAL]
    assert merge.play(1, RELEASED) + merge.hush(2) == [midi.control(0, 64, 90), RELEASED]


def test_who_leaves_ends_its_own_notes_and_all_notes_only_where_it_was_alone() -> None:
    merge = Merge()
    for source, message in ((1, ON), (1, b"\x91\x40\x01"), (1, PEDAL), (2, b"\x90\x43\x01")):
        merge.play(source, message)

    assert merge.hush(1) == [
        midi.note_off(0, 60),
        midi.note_off(1, 64),
        RELEASED,
        midi.control(1, midi.ALL_NOTES_OFF, 0),
    ]
    assert merge.hush(2) == [midi.note_off(0, 67), midi.control(0, midi.ALL_NOTES_OFF, 0)]
    assert merge.hush(1) == []


def test_all_notes_off_of_one_leaves_the_other_ones_notes() -> None:
    merge = Merge()
    for source, message in ((1, ON), (2, b"\x90\x43\x01"), (1, PEDAL)):
        merge.play(source, message)

    assert merge.play(2, midi.control(0, midi.ALL_NOTES_OFF, 0)) == [midi.note_off(0, 67)]
    assert merge.play(2, midi.control(0, midi.RESET_CONTROLLERS, 0)) == []
    assert merge.sounding == 1


@given(st.lists(st.tuples(st.integers(1, 3), PLAYED)))
def test_when_everybody_has_left_nothing_sounds(played: list[tuple[int, bytes]]) -> None:
    merge, instrument = Merge(), Held()
    for source, message in played:
        for told in merge.play(source, message):
            instrument.take(told)

    for source in (1, 2, 3):
        for told in merge.hush(source):
            instrument.take(told)

    assert not instrument
    assert merge.sounding == 0


@given(st.lists(st.tuples(st.integers(1, 2), PLAYED)), st.lists(PLAYED))
def test_nobody_ends_what_another_one_holds(played: list[tuple[int, bytes]], own: list[bytes]) -> None:
    merge, instrument, alone = Merge(), Held(), Held()
    for source, message in [*((3, one) for one in own), *played]:
        if source == 3:
            alone.take(message)
        for told in merge.play(source, message):
            instrument.take(told)

    for source in (1, 2):
        for told in merge.hush(source):
            instrument.take(told)

    assert instrument.notes.keys() == alone.notes.keys()
    assert instrument.pedals.keys() == alone.pedals.keys()


@given(st.lists(PLAYED, max_size=60))
def test_what_a_stream_holds_is_ended_by_its_release(played: list[bytes]) -> None:
    held = Held()
    for message in played:
        held.take(message)

    for message in held.release():
        assert held.is_ended_by(message) or midi.kind(message) == midi.CONTROL
        held.take(message)

    assert not held


@given(st.lists(PLAYED, max_size=60))
def test_a_stream_that_is_thinned_leaves_no_note_behind(played: list[bytes]) -> None:
    thinning, instrument = Thinning(rate=1, burst=5), Held()
    whole = Held()
    for message in played:
        whole.take(message)
        if thinning.admits(message, LocalSeconds(0)):
            instrument.take(message)

    assert instrument.notes.keys() <= whole.notes.keys()
    assert instrument.notes == thinning.held.notes
