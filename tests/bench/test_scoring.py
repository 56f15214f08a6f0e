"""The benches' own arithmetic, on cases counted by hand."""

import numpy as np
import pytest

from tests.bench import onsets
from tests.bench.note_scores import REGISTERS, Roll, Score, delays, figures, score
from tests.bench.truth import TrueNote

# Heard from 0.1 to 0.5 s: the frames that end at 0.1 … 0.4833, indices 5 … 28.
NOTE = TrueNote(onset_s=0.09, offset_s=0.5, midi=60, velocity=80, attack_s=0.01, audible_end_s=0.5, release_end_s=0.52)


def roll(**shown: tuple[int, int]) -> Roll:
    """60 frames; `n60=(3, 9)` shows note 60 in frames 3 … 8."""
    frames = np.zeros((60, 128), bool)
    for name, (first, end) in shown.items():
        frames[first:end, int(name[1:])] = True
    return frames


def delay_of(one: Score) -> dict[int, float]:
    return dict(one.delays_s)


def test_a_note_shown_while_it_sounds_is_all_hits() -> None:
    one = score((NOTE,), roll(n60=(5, 29)))

    assert (one.hits, one.false, one.missed, one.ghosts) == (24, 0, 0, 0)
    assert delay_of(one) == {60: pytest.approx(0)}


def test_ringing_out_is_excused_but_not_for_long() -> None:
    one = score((NOTE,), roll(n60=(5, 40)))

    assert (one.hits, one.false, one.ghosts) == (24, 3, 0)  # until 0.62 s, the frame of index 36


def test_a_long_release_is_excused_for_as_long_as_it_rings() -> None:
    one = score((NOTE._replace(release_end_s=0.7),), roll(n60=(5, 45)))

    assert (one.hits, one.false) == (24, 2)  # until 0.73 s, the frame of index 42


def test_what_rises_may_be_shown_but_need_not() -> None:
    early = score((NOTE,), roll(n60=(4, 29)))  # the frame that ends at 0.0833 s is before the onset

    assert (early.hits, early.false, early.ghosts) == (24, 1, 1)
    slow = NOTE._replace(attack_s=0.06)
    assert (score((slow,), roll(n60=(5, 29))).false, score((slow,), roll(n60=(8, 29))).missed) == (0, 0)


def test_a_late_note_misses_frames_and_has_a_delay() -> None:
    one = score((NOTE,), roll(n60=(8, 29)))

    assert (one.hits, one.missed) == (21, 3)
    assert delay_of(one) == {60: pytest.approx(0.05)}


@pytest.mark.parametrize("shown", [{}, {"n60": (24, 29)}], ids=["never", "after 0.3 s"])
def test_a_note_never_shown_has_no_end_of_delay(shown: dict[str, tuple[int, int]]) -> None:
    assert delay_of(score((NOTE,), roll(**shown))) == {60: np.inf}


def test_a_note_that_is_already_shown_is_not_found_anew() -> None:
    again = NOTE._replace(onset_s=0.29)

    assert delay_of(score((NOTE, again), roll(n60=(5, 29)))) == {60: pytest.approx(0)}
    assert len(score((NOTE, again), roll(n60=(5, 29))).delays_s) == 1


def test_an_octave_above_is_a_ghost_of_the_harmonic_kind() -> None:
    one = score((NOTE,), roll(n60=(5, 29), n72=(10, 14), n75=(10, 14)))

    assert (one.false, one.octaves, one.ghosts) == (8, 4, 2)


def test_figures_add_pieces_up_before_they_divide() -> None:
    found, empty = score((NOTE,), roll(n60=(5, 29), n75=(10, 18))), score((NOTE._replace(midi=40),), roll())

    both = figures([found, empty])

    assert (both.precision, both.recall) == (0.75, 0.5)
    assert both.f1 == pytest.approx(0.6)
    assert both.ghosts_per_s == 0.5
    assert (both.delays.notes, both.delays.missed) == (2, 0.5)
    assert figures([found, empty], REGISTERS["middle"]).f1 == 1
    assert figures([found, empty], REGISTERS["below E3"]).recall == 0


def test_figures_of_nothing_are_none() -> None:
    nothing = figures([])

    assert (nothing.precision, nothing.recall, nothing.f1, nothing.ghosts_per_s, nothing.delays.notes) == (0,) * 5
    assert np.isnan(nothing.delays.median_ms)


def test_delays_are_of_those_found() -> None:
    one = delays([0.01, 0.02, 0.03, np.inf])

    assert (one.notes, one.missed) == (4, 0.25)
    assert one.median_ms == pytest.approx(20)


def test_attacks_are_matched_once_each() -> None:
    one = onsets.score([0.5, 1.0], [0.05, 0.506, 0.52, 1.2], seconds=2)

    assert (one.attacks, one.false) == (2, 2)
    assert one.delays_s == pytest.approx((0.006,))
    assert onsets.figures([one]).f1 == pytest.approx(2 / 5)
