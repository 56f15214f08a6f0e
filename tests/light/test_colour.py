import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.light import colour
from jambridge.light.colour import ColorMode
from jambridge.units import MidiNote

MODES: list[ColorMode] = ["chromatic", "harmonic"]


@pytest.mark.parametrize(
    ("note", "mode", "hue"),
    [
        (60, "chromatic", 0),
        (61, "chromatic", 30),
        (69, "chromatic", 270),
        (71, "chromatic", 330),
        (72, "chromatic", 0),
        (60, "harmonic", 0),
        (67, "harmonic", 30),  # G
        (62, "harmonic", 60),  # D
        (65, "harmonic", 330),  # F
    ],
)
def test_c_is_red_and_the_neighbours_follow_the_mode(note: int, mode: ColorMode, hue: int) -> None:
    assert colour.hue_deg(MidiNote(note), mode) == hue


@pytest.mark.parametrize("mode", MODES)
def test_twelve_pitch_classes_have_twelve_hues(mode: ColorMode) -> None:
    assert len({colour.hue_deg(MidiNote(note), mode) for note in range(12)}) == 12


@given(note=st.integers(0, 127), velocity=st.floats(0.35, 1), mode=st.sampled_from(MODES))
def test_a_note_is_its_hue_and_as_bright_as_loud(note: int, velocity: float, mode: ColorMode) -> None:
    shown = colour.note_colour(MidiNote(note), velocity, mode)

    hue, saturation, _ = colorsys.rgb_to_hsv(*shown.tolist())
    assert abs((hue * 360 - colour.hue_deg(MidiNote(note), mode) + 180) % 360 - 180) < 0.5
    assert saturation > 0.55
    np.testing.assert_allclose(shown, velocity * colour.note_colour(MidiNote(note), 1.0, mode), rtol=1e-5)


@pytest.mark.parametrize("hue", range(360))
def test_all_hues_are_as_light_and_no_red_is_a_saturated_one(hue: int) -> None:
    light = colour.hue_colour(hue) ** colour.GAMMA

    assert light @ colour.LUMINANCE == pytest.approx(colour.LIGHTNESS, rel=1e-3)
    assert light[0] < 0.78 * light.sum()
    assert light.max() <= 1.0


@given(note=st.integers(0, 127), velocity=st.floats(0, 1), gamma=st.sampled_from([1.0, 2.2]))
def test_the_hue_survives_the_wire_however_faint_the_note(note: int, velocity: float, gamma: float) -> None:
    shown = colour.note_colour(MidiNote(note), velocity, "chromatic")[np.newaxis]

    (sent,) = colour.encode(shown, gamma).tolist()

    eye = [(level / 255) ** (1 / gamma) for level in sent]
    hue = colorsys.rgb_to_hsv(*eye)[0] * 360
    away = abs((hue - 30 * (note % 12) + 180) % 360 - 180)
    assert away < 10


def test_gamma_is_applied_once() -> None:
    half = np.full((1, 3), 0.5, np.float32)

    assert colour.encode(half, 1.0).tolist() == [[128, 128, 128]]
    assert colour.encode(half, 2.2).tolist() == [[55, 55, 55]]


def test_what_is_no_light_is_none() -> None:
    frame = np.array([[np.nan, np.inf, -1], [2, 0.5, -np.inf]], np.float32)

    assert colour.encode(frame, 1.0).tolist() == [[0, 0, 0], [255, 128, 0]]


def test_white_takes_over_what_red_green_and_blue_share() -> None:
    shown = np.array([[255, 128, 128], [0, 255, 0], [255, 255, 255]], np.uint8)

    assert colour.with_white(shown).tolist() == [[127, 0, 0, 128], [0, 255, 0, 0], [0, 0, 0, 255]]
