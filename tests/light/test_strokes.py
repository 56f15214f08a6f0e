import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.light import strokes
from jambridge.light.strokes import Strokes
from jambridge.notes.frame import Note
from jambridge.notes.stroke import Stroke
from jambridge.units import LocalSeconds, MidiNote, hz


def note(midi: int, velocity: float = 1.0) -> Note:
    return Note(MidiNote(midi), hz(midi), velocity)


def at(seconds: float) -> LocalSeconds:
    return LocalSeconds(seconds)


def test_a_note_is_one_stroke_from_its_beginning_to_its_end() -> None:
    played = Strokes()
    for now, notes in enumerate([[note(60, 0.5)], [note(60, 0.9), note(64)], [note(64)], []]):
        played.follow(notes, at(now))

    assert played.played() == (
        Stroke(MidiNote(60), 0.9, at(0), at(2)),
        Stroke(MidiNote(64), 1.0, at(1), at(3)),
    )


def test_it_comes_up_and_fades_away() -> None:
    stroke = Stroke(MidiNote(60), 0.8, at(1), at(3))

    levels = [strokes.level(stroke, at(now), attack_s=1, decay_s=2) for now in (1, 1.5, 2, 3, 4, 5, 9)]

    assert levels == pytest.approx([0, 0.4, 0.8, 0.8, 0.4, 0, 0])
    assert strokes.level(stroke, at(3), 0, 0) == 0
    assert strokes.level(Stroke(MidiNote(60), 0.8, at(1)), at(99), 0, 0) == 0.8


@given(st.lists(st.lists(st.builds(note, st.integers(0, 127), st.floats(0, 1)), max_size=6), max_size=60))
def test_what_is_remembered_is_bounded(frames: list[list[Note]]) -> None:
    played = Strokes()
    for index, notes in enumerate(frames * 10):
        played.follow(notes, at(index))

    known = played.played()
    assert len([one for one in known if one.ended is not None]) <= strokes.MOST
    assert {one.midi for one in known if one.ended is None} == {one.midi for one in (frames or [[]])[-1]}
