"""Effects as pure functions of what was played, the moment, and the room."""

import colorsys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.config import EffectName as Configurable
from jambridge.light import effects, scene
from jambridge.light.colour import GAMMA, LUMINANCE, Colours, encode, note_colour
from jambridge.light.effects import BANDS, EFFECTS, EffectName, Part, Style
from jambridge.light.music import Music, mean_hue
from jambridge.notes.frame import Note
from jambridge.notes.stroke import Stroke
from jambridge.units import LocalSeconds, MidiNote, hz
from tests.light.flashes import most_in_a_second

NOW = LocalSeconds(100.0)
ROOM = Music(tempo=120.0)


def stroke(midi: int, velocity: float = 1.0, began_s: float = 0.1, ended_s: float | None = None) -> Stroke:
    """Begun, and ended, so many seconds ago."""
    ended = None if ended_s is None else LocalSeconds(NOW - ended_s)
    return Stroke(MidiNote(midi), velocity, LocalSeconds(NOW - began_s), ended)


def shown(
    name: EffectName, *strokes: Stroke, pixels: int = 60, music: Music = ROOM, style: Style = effects.PLAIN
) -> Colours:
    return EFFECTS[name]([Part(strokes)], NOW, music, style, pixels)


def hue(colour: Colours) -> float:
    return colorsys.rgb_to_hsv(*colour.tolist())[0] * 360


def lit(picture: Colours) -> list[int]:
    return np.flatnonzero(picture.max(axis=1) > 0.01).tolist()


def test_the_configuration_knows_just_these_effects() -> None:
    assert set(get_args(Configurable)) == set(get_args(EffectName)) == set(EFFECTS)


strokes = st.lists(
    st.builds(stroke, st.integers(0, 127), st.floats(0, 1), st.floats(0.1, 9), st.none() | st.floats(0, 0.1))
)
parts = st.lists(
    st.builds(
        Part,
        strokes.map(tuple),
        st.floats(0, 1),
        st.floats(-120, 10),
        st.none() | st.floats(0, 1).map(lambda level: np.full(BANDS, level, np.float32)),
    ),
    max_size=4,
)
rooms = st.builds(
    Music,
    st.sampled_from(["chromatic", "harmonic"]),
    st.sampled_from(["C", "F#", "Bb", "", "?"]),
    st.sampled_from(["major", "natural_minor", "", "Dorian"]),
    st.floats(40, 300),
    st.none() | st.floats(0, 200).map(LocalSeconds),
)
styles = st.builds(
    Style,
    st.none() | st.floats(0, 4),
    st.none() | st.floats(0, 8),
    st.sampled_from(["none", "brightness", "place"]),
)


@given(parts=parts, room=rooms, style=styles, pixels=st.integers(1, 120), name=st.sampled_from(sorted(EFFECTS)))
def test_whatever_is_played_the_picture_is_one(
    parts: list[Part], room: Music, style: Style, pixels: int, name: EffectName
) -> None:
    first, second = (EFFECTS[name](parts, NOW, room, style, pixels) for _ in range(2))

    assert first.shape == (pixels, 3)
    assert np.isfinite(first).all() and first.min() >= 0 and first.max() <= 1
    np.testing.assert_array_equal(first, second)


def test_notes_is_the_contracts_layout() -> None:
    picture = shown("notes", stroke(72, ended_s=0.01), stroke(67, 0.6), stroke(60), stroke(64))

    merged = scene.merge([[Note(MidiNote(midi), hz(midi), level) for midi, level in ((67, 0.6), (60, 1), (64, 1))]])
    np.testing.assert_array_equal(picture, scene.draw(merged, 0.0, 60, "chromatic"))


def test_an_ended_note_fades_in_beats_of_the_room() -> None:
    slow, fast = Music(tempo=60), Music(tempo=240)
    ended = stroke(60, ended_s=0.2)

    assert shown("roll", ended, music=slow).max() > shown("roll", ended, music=fast).max() == 0
    assert shown("roll", ended, music=slow, style=Style(decay_beats=0)).max() == 0
    assert shown("roll", stroke(60, began_s=0.1), style=Style(attack_beats=1)).max() == pytest.approx(
        0.2 * note_colour(MidiNote(60), 1.0, "chromatic").max(), rel=1e-5
    )


def test_the_roll_has_every_note_at_its_place() -> None:
    places = [lit(shown("roll", stroke(midi), pixels=146))[0] for midi in range(28, 101)]

    assert places == sorted(places) and places[0] == 0 and places[-1] == 144
    assert len(lit(shown("roll", stroke(60), stroke(61), pixels=146))) == 4
    assert lit(shown("roll", stroke(5))) and lit(shown("roll", stroke(127)))


def test_an_octave_may_be_brightness() -> None:
    style = Style(octave="brightness")
    low, high = (shown("roll", stroke(midi), style=style, pixels=12) for midi in (36, 84))

    assert lit(low) == lit(high) == [0, 1]
    assert low.max() < high.max()


def test_an_octave_may_be_a_place() -> None:
    low, high = (shown("notes", stroke(midi), style=Style(octave="place")) for midi in (36, 84))

    assert max(lit(low)) < min(lit(high))


def test_a_chord_is_a_gradient_from_its_lowest_to_its_highest() -> None:
    picture = shown("chord", stroke(67), stroke(60))

    assert hue(picture[0]) == pytest.approx(0, abs=1) and hue(picture[-1]) == pytest.approx(210, abs=1)
    assert np.abs(np.diff(picture, axis=0)).max() < 0.05


@pytest.mark.parametrize(
    ("key", "midi", "degrees"), [("C", 60, 0), ("C", 67, 30), ("D", 62, 0), ("Bb", 70, 0), ("F#", 61, 30)]
)
def test_the_wash_is_where_the_harmony_stands_to_the_key(key: str, midi: int, degrees: float) -> None:
    picture = shown("wash", stroke(midi), music=replace(ROOM, key=key))

    assert hue(picture[0]) == pytest.approx(degrees, abs=2) and (picture == picture[0]).all()


def test_what_is_foreign_to_the_scale_makes_the_wash_pale() -> None:
    def paleness(scale: str) -> float:
        colour = shown("wash", stroke(60), stroke(64), music=replace(ROOM, scale=scale))[0]
        return float(colour.min() / colour.max())

    assert paleness("minor") > paleness("major")
    assert paleness("something else") == paleness("major")


def test_the_spectrum_runs_along_the_zone() -> None:
    bands = np.zeros(BANDS, np.float32)
    bands[BANDS // 4] = 1.0

    picture = EFFECTS["spectrum"]([Part(bands=bands)], NOW, ROOM, effects.PLAIN, 60)

    assert 13 <= int(picture.max(axis=1).argmax()) <= 17
    assert not picture[30:].any()


def test_every_player_has_a_bar_as_long_as_loud() -> None:
    levels = [-48.0, -24.0, 0.0]

    picture = EFFECTS["vu"]([Part(level_dbfs=level) for level in levels], NOW, ROOM, effects.PLAIN, 60)

    assert [len(lit(picture[start : start + 20])) for start in (0, 20, 40)] == [0, 10, 20]


def test_the_beat_pulses_when_the_room_plays() -> None:
    room = Music(tempo=120, beat_at=LocalSeconds(0.0))

    def level(now: float) -> float:
        return float(EFFECTS["beat"]([], LocalSeconds(now), room, effects.PLAIN, 4)[0].max())

    assert level(8.0) > level(8.2) > level(8.45)
    assert hue(EFFECTS["beat"]([], LocalSeconds(8.0), room, effects.PLAIN, 4)[0]) == pytest.approx(0, abs=1)
    assert hue(EFFECTS["beat"]([], LocalSeconds(8.5), room, effects.PLAIN, 4)[0]) == pytest.approx(210, abs=1)


@pytest.mark.parametrize("tempo", [40, 120, 121, 240, 300])
def test_a_pulse_is_never_a_flash_too_many(tempo: float) -> None:
    room = Music(tempo=tempo, beat_at=LocalSeconds(0.0))
    times = [index / 60 for index in range(600)]
    frames = [EFFECTS["beat"]([], LocalSeconds(at), room, effects.PLAIN, 4) for at in times]

    light = np.stack([encode(frame, GAMMA) for frame in frames]) / 255
    assert most_in_a_second(light, times) <= 2
    assert np.ptp(light[:, 0] @ LUMINANCE) > 0.1


def test_what_was_played_scrolls_away() -> None:
    """Eight beats of 0.5 s on 80 pixels: 20 a second."""
    picture = shown("scroll", stroke(60, began_s=2.0, ended_s=1.0), stroke(67, began_s=0.5), pixels=80)

    assert lit(picture) == [*range(10), *range(20, 40)]
    assert hue(picture[5]) == pytest.approx(210, abs=1) and hue(picture[30]) == pytest.approx(0, abs=1)
    assert not lit(shown("scroll", stroke(60, began_s=9, ended_s=4.1), pixels=80))


@pytest.mark.parametrize(
    ("key", "scale", "expected"),
    [
        ("C", "major", {0, 2, 4, 5, 7, 9, 11}),
        ("A", "minor", {0, 2, 4, 5, 7, 9, 11}),
        ("Bb", "Major", {10, 0, 2, 3, 5, 7, 9}),
        ("F#", "harmonic-minor", {6, 8, 9, 11, 1, 2, 5}),
        ("C", "of a guest's own", set(range(12))),
    ],
)
def test_a_scale_has_its_pitch_classes(key: str, scale: str, expected: set[int]) -> None:
    assert Music(key=key, scale=scale).pitch_classes == expected


def test_hues_have_a_mean_across_zero() -> None:
    assert mean_hue([330, 30], [1, 1]) % 360 == pytest.approx(0, abs=1e-6) or mean_hue([330, 30], [1, 1]) > 359
