import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.notes import chord
from jambridge.units import MidiNote


@pytest.mark.parametrize(
    ("notes", "name"),
    [
        ((60, 64, 67), "C"),
        ((57, 60, 64), "Am"),
        ((64, 67, 72), "C/E"),
        ((55, 59, 62, 65), "G7"),
        ((57, 60, 64, 67), "Am7"),
        ((60, 64, 67, 69), "C6"),
        ((60, 64, 67, 71), "Cmaj7"),
        ((50, 57), "D5"),
        ((60, 64, 68), "Caug"),
        ((59, 62, 65), "Bdim"),
        ((60, 62, 67), "Csus2"),
        ((36, 60, 64, 67, 76), "C"),
        ((60,), None),
        ((60, 72), None),
        ((60, 61, 62), None),
        ((), None),
    ],
)
def test_chords_are_called_as_musicians_call_them(notes: tuple[int, ...], name: str | None) -> None:
    assert chord.name([MidiNote(note) for note in notes]) == name


@given(st.sets(st.integers(0, 115).map(MidiNote), max_size=6))
def test_an_octave_higher_it_is_the_same_chord(notes: set[MidiNote]) -> None:
    assert chord.name({MidiNote(note + 12) for note in notes}) == chord.name(notes)
