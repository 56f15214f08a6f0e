import math
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from jambridge.light.pacing import Pace
from jambridge.units import LocalSeconds

NEVER = LocalSeconds(-math.inf)
FAST = Pace(interval_s=0.015, fps=60, keepalive_s=1.0)
times = st.floats(0, 1e6).map(LocalSeconds)


def test_the_first_frame_leaves_at_once() -> None:
    assert FAST.due(NEVER, sounding=False, urgent=False) == -math.inf


def test_frames_leave_on_the_grid_while_something_sounds() -> None:
    assert math.isclose(FAST.due(LocalSeconds(10.0003), sounding=True, urgent=False), 10 + 1 / 60)
    assert math.isclose(FAST.due(LocalSeconds(10 + 1 / 60 - 1e-5), sounding=True, urgent=False), 10 + 2 / 60)


def test_in_silence_the_strip_is_only_kept_awake() -> None:
    assert FAST.due(LocalSeconds(10.0), sounding=False, urgent=False) == 11.0


@given(sent_at=times, sounding=st.booleans(), interval_s=st.floats(0.015, 0.5))
def test_an_attack_leaves_as_soon_as_the_strip_can_show_it(sent_at: float, sounding: bool, interval_s: float) -> None:
    due = Pace(interval_s, 60, 1.0).due(LocalSeconds(sent_at), sounding=sounding, urgent=True)

    assert math.isclose(due, sent_at + max(interval_s, 0.0155))


@given(sent_at=times, interval_s=st.floats(0.001, 0.5), fps=st.floats(1, 60), urgent=st.booleans())
def test_no_frame_is_due_before_the_strip_can_take_it(
    sent_at: float, interval_s: float, fps: float, urgent: bool
) -> None:
    due = Pace(interval_s, fps, 1.0).due(LocalSeconds(sent_at), sounding=True, urgent=urgent)

    assert due - sent_at >= max(interval_s, 0.93 / fps) - 1e-9
    assert due - sent_at <= max(interval_s, 2 / fps) + 1e-9


@given(start=st.floats(0, 1000), late_s=st.lists(st.floats(0, 0.003), min_size=30, max_size=30))
def test_lateness_does_not_add_up(start: float, late_s: list[float]) -> None:
    sent_at = [LocalSeconds(start)]
    for one_s in late_s:
        sent_at.append(LocalSeconds(FAST.due(sent_at[-1], sounding=True, urgent=False) + one_s))

    assume(sent_at[-1] > start)
    assert sent_at[-1] - start <= 30 / 60 + 0.02
    assert all(0.015 < after - before < 0.04 for before, after in pairwise(sent_at))


def test_after_an_early_frame_the_others_slip_back_onto_the_grid() -> None:
    sent_at = LocalSeconds(10.005)
    gaps = []
    for _ in range(12):
        due = FAST.due(sent_at, sounding=True, urgent=False)
        gaps.append(due - sent_at)
        sent_at = due

    assert max(gaps) < 0.0175
    assert math.isclose(sent_at * 60, round(sent_at * 60), abs_tol=1e-6)
