from hypothesis import given
from hypothesis import strategies as st

from jambridge.midi import keys
from jambridge.midi import message as midi
from jambridge.midi.held import Held
from jambridge.midi.keys import Keys
from jambridge.notes.stroke import Stroke
from jambridge.units import LocalSeconds, MidiNote
from tests.midi.messages import PLAYED, SYSEX

ON, OFF = b"\x90\x3c\x7f", b"\x80\x3c\x40"
SUSTAIN, UP = midi.control(0, 64, 127), midi.control(0, 64, 0)


def played(*messages: bytes) -> Keys:
    """One message a second, from 0 on."""
    one = Keys()
    for second, message in enumerate(messages):
        one.take(message, LocalSeconds(second))
    return one


def sounding(one: Keys, now: float = 99) -> list[int]:
    return [stroke.midi for stroke in one.strokes(LocalSeconds(now)) if stroke.ended is None]


def test_a_note_begins_as_loud_as_it_is_struck_and_ends_when_it_is_released() -> None:
    assert played(b"\x90\x3c\x00", ON).strokes(LocalSeconds(9)) == (Stroke(MidiNote(60), 1.0, LocalSeconds(1)),)
    ended = Stroke(MidiNote(60), 1.0, LocalSeconds(0), LocalSeconds(1))
    assert played(ON, OFF).strokes(LocalSeconds(1)) == (ended,)
    assert played(ON, OFF).strokes(LocalSeconds(2)) == ()


def test_struck_again_it_is_another() -> None:
    again = LocalSeconds(1)

    assert played(ON, b"\x90\x3c\x01").strokes(again) == (
        Stroke(MidiNote(60), 1.0, LocalSeconds(0), again),
        Stroke(MidiNote(60), 1 / 127, again),
    )


def test_the_pedal_holds_what_is_released_and_half_of_it_does_not() -> None:
    assert sounding(played(ON, SUSTAIN, OFF)) == [60]
    assert sounding(played(SUSTAIN, ON, OFF, UP)) == []
    assert sounding(played(SUSTAIN, ON, OFF, midi.control(0, 64, 63))) == []
    assert sounding(played(SUSTAIN, ON, UP)) == [60]
    assert sounding(played(midi.control(1, 64, 127), ON, OFF)) == [], "another channel's"


def test_all_notes_off_waits_for_the_pedal_and_all_sound_off_does_not() -> None:
    assert sounding(played(SUSTAIN, ON, midi.control(0, midi.ALL_NOTES_OFF, 0))) == [60]
    assert sounding(played(SUSTAIN, ON, midi.control(0, midi.ALL_SOUND_OFF, 0))) == []


def test_a_note_on_two_channels_sounds_until_both_end_it() -> None:
    assert sounding(played(ON, b"\x91\x3c\x40", OFF)) == [60]


@given(st.lists(PLAYED | SYSEX, max_size=200))
def test_whatever_is_played_the_keys_are_those_that_are_held_and_release_ends_them(messages: list[bytes]) -> None:
    held, one = Held(), played(*messages)
    for message in messages:
        held.take(message)
    strokes = one.strokes(LocalSeconds(len(messages)))

    assert {note for _, note in list(held.notes)[-keys.MOST :]} <= set(sounding(one)) or len(held.notes) > keys.MOST
    assert len(strokes) <= keys.MOST + 16
    for end in held.release():
        one.take(end, LocalSeconds(1e3))
    assert sounding(one) == []
