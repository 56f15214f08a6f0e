"""The measuring instrument itself, on frames whose content is known."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.light import colour, layout
from jambridge.units import MidiNote
from tests.scenarios import palette
from tests.scenarios.capture import DdpPacket, Frame, assemble

MUSIC = Path("tests/fixtures/music")


def strip(notes: list[tuple[int, float]], pixels: int = 300) -> np.typing.NDArray[np.uint8]:
    colours = [colour.note_colour(MidiNote(note), velocity, "chromatic") for note, velocity in notes]
    return colour.encode(layout.paint(np.array(colours), pixels), colour.GAMMA)


@given(notes=st.lists(st.tuples(st.integers(21, 108), st.floats(0.0, 1.0)), min_size=1, max_size=8))
def test_the_palette_inverted_gives_the_pitch_classes_back(notes: list[tuple[int, float]]) -> None:
    assert palette.pitch_classes(strip(notes)) == {note % 12 for note, _ in notes}


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_white_and_black_are_no_notes(level: int) -> None:
    assert palette.pitch_classes(np.full((300, 3), level, np.uint8)) == frozenset()


def test_a_stretch_too_short_to_be_seen_is_no_note() -> None:
    pixels = np.zeros((300, 3), np.uint8)
    pixels[10:13] = (255, 0, 0)
    pixels[50:54] = (0, 255, 0)

    assert palette.pitch_classes(pixels) == {4}


@pytest.mark.parametrize("piece", ["chord_piano", "bach_guitar", "mono_violin"])
def test_a_strip_that_shows_the_truth_a_little_late_scores_one_at_that_lag(piece: str) -> None:
    path, start, late_s = MUSIC / f"{piece}.json", 1000.0, 0.05
    sounds, _ = palette.truth(path, 600)
    frames = [
        Frame(
            start + late_s + (index + 1) / 60 - 1e-6,
            strip([(60 + int(note), 0.8) for note in np.flatnonzero(row)]),
            0.0,
        )
        if row.any()
        else Frame(start + late_s + (index + 1) / 60 - 1e-6, np.zeros((300, 3), np.uint8), 0.0)
        for index, row in enumerate(sounds)
    ]

    found = palette.best(frames, start, path, 10.0, [lag_ms / 1000 for lag_ms in range(0, 101, 5)])

    assert found.f1 == 1.0
    assert found.lag_s == pytest.approx(late_s)
    assert palette.best(frames, start + 1.0, path, 9.0, [0.0]).f1 < 0.6


def test_a_frame_is_shown_when_the_last_of_its_packets_pushes() -> None:
    packets = [
        DdpPacket(1.0, 0, b"\x01" * 6, push=False),
        DdpPacket(1.1, 6, b"\x02" * 6, push=True),
        DdpPacket(2.0, 3, b"\x03" * 3, push=True),
    ]

    first, second = assemble(packets, 4)

    assert first.pixels[:, 0].tolist() == [1, 1, 2, 2]
    assert first.at == 1.1
    assert first.burst_s == pytest.approx(0.1)
    assert second.pixels[:, 0].tolist() == [1, 3, 2, 2]
