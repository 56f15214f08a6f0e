import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jambridge.light import scene
from jambridge.light.colour import note_colour
from jambridge.notes.frame import Note
from jambridge.units import MidiNote, hz


def note(midi: int, velocity: float = 1.0) -> Note:
    return Note(MidiNote(midi), hz(midi), velocity)


notes = st.lists(st.builds(note, st.integers(0, 127), st.floats(0, 1)), max_size=12)


def test_a_note_that_two_play_is_there_once_as_loud_as_the_louder() -> None:
    merged = scene.merge([(note(60, 0.3), note(64, 0.5)), (note(60, 0.9),)])

    assert merged == [note(60, 0.9), note(64, 0.5)]


@given(st.lists(notes, max_size=4))
def test_everyones_notes_come_once_each_and_loudest_first(players: list[list[Note]]) -> None:
    merged = scene.merge(players)

    assert {one.midi for one in merged} == {one.midi for player in players for one in player}
    assert len({one.midi for one in merged}) == len(merged)
    assert [one.velocity for one in merged] == sorted((one.velocity for one in merged), reverse=True)


def test_notes_share_the_strip_lowest_first() -> None:
    shown = scene.draw(scene.merge([(note(67), note(60), note(64))]), 0.0, 12, "chromatic")

    expected = np.repeat([note_colour(MidiNote(midi), 1.0, "chromatic") for midi in (60, 64, 67)], 4, axis=0)
    np.testing.assert_array_equal(shown, expected)


def test_where_there_is_no_room_the_loudest_are_shown() -> None:
    shown = scene.draw(scene.merge([(note(60, 0.5), note(64, 0.4), note(67, 0.9))]), 0.0, 8, "chromatic")

    np.testing.assert_array_equal(shown[0], note_colour(MidiNote(60), 0.5, "chromatic"))
    np.testing.assert_array_equal(shown[-1], note_colour(MidiNote(67), 0.9, "chromatic"))


@given(players=st.lists(notes, max_size=3), left=st.floats(0, 1), pixels=st.integers(1, 200))
def test_hues_are_never_mixed(players: list[list[Note]], left: float, pixels: int) -> None:
    merged = scene.merge(players)
    shown = scene.draw(merged, left, pixels, "harmonic")

    assert shown.shape == (pixels, 3)
    assert shown.min() >= 0 and shown.max() <= 1
    hues = np.array([note_colour(one.midi, 1.0, "harmonic") for one in merged])
    for pixel in shown if merged else ():
        assert (np.abs(pixel / pixel.max() - hues / hues.max(axis=1, keepdims=True)).max(axis=1) < 1e-3).any()


def test_an_attack_in_silence_is_white() -> None:
    shown = scene.draw([], 1.0, 4, "chromatic")

    assert (shown == shown[0, 0]).all() and 0.3 < shown[0, 0] < 0.8


def test_an_attack_brightens_what_sounds() -> None:
    quiet = scene.draw([note(60, 0.4)], 0.0, 4, "chromatic")
    flashing = scene.draw([note(60, 0.4)], 1.0, 4, "chromatic")

    assert flashing[0, 0] > quiet[0, 0] + 0.2
    np.testing.assert_allclose(flashing / flashing.max(), quiet / quiet.max(), rtol=1e-5, err_msg="its hue stays")


def test_a_flash_holds_until_the_colour_comes_and_fades_to_nothing() -> None:
    levels = [scene.flash(age_s) for age_s in np.arange(0, 0.3, 0.01)]

    assert levels[0] == levels[7] == 1.0
    assert levels == sorted(levels, reverse=True)
    assert levels[16] == 0.0
    assert scene.flash(np.inf) == scene.flash(-0.1) == 0.0
