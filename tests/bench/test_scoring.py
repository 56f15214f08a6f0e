"""The benches' own arithmetic, on cases counted by hand."""

import numpy as np
import pytest

from tests.bench import notes, onsets
from tests.bench.truth import TrueNote

# Heard from 0.1 to 0.5 s: the frames that end at 0.1 … 0.4833, indices 5 … 28.
NOTE = TrueNote(onset_s=0.09, offset_s=0.5, midi=60, velocity=80, attack_s=0.01, audible_end_s=0.5, release_end_s=0.52)


def roll(**shown: tuple[int, int]) -> notes.Roll:
    """60 frames; `n60=(3, 9)` shows note 60 in frames 3 … 8."""
    frames = np.zeros((60, 128), bool)
    for name, (first, end) in shown.items():
        frames[first:end, int(name[1:])] = True
    return frames


def delays(one: notes.Score) -> dict[int, float]:
    return dict(one.delays_s)


def test_a_note_shown_while_it_sounds_is_all_hits() -> None:
    one = notes.score((NOTE,), roll(n60=(5, 29)))

    assert (one.hits, one.false, one.missed, one.ghosts) == (24, 0, 0, 0)
    assert delays(one) == {60: pytest.approx(0)}


def test_ringing_out_is_excused_but_not_for_long() -> None:
    one = notes.score((NOTE,), roll(n60=(5, 40)))

    assert (one.hits, one.false, one.ghosts) == (24, 3, 0)  # until 0.62 s, the frame of index 36


def test_a_late_note_misses_frames_and_has_a_delay() -> None:
    one = notes.score((NOTE,), roll(n60=(8, 29)))

    assert (one.hits, one.missed) == (21, 3)
    assert delays(one) == {60: pytest.approx(0.05)}


def test_a_note_never_shown_has_no_end_of_delay() -> None:
    assert delays(notes.score((NOTE,), roll())) == {60: np.inf}


def test_an_octave_above_is_a_ghost_of_the_harmonic_kind() -> None:
    one = notes.score((NOTE,), roll(n60=(5, 29), n72=(10, 14), n75=(10, 14)))

    assert (one.false, one.octaves, one.ghosts) == (8, 4, 2)


def test_attacks_are_matched_once_each() -> None:
    one = onsets.score([0.5, 1.0], [0.05, 0.506, 0.52, 1.2], seconds=2)

    assert (one.attacks, one.false) == (2, 2)
    assert one.delays_s == pytest.approx((0.006,))
