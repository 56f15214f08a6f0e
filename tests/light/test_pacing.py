import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jambridge.light.pacing import Pace
from jambridge.units import LocalSeconds

NEVER = LocalSeconds(-math.inf)
FAST = Pace(fps=60, keepalive_s=1.0)
paces = st.builds(Pace, fps=st.floats(1, 60), keepalive_s=st.just(1.0))


def frames(pace: Pace, start: float, late_s: list[float], urgent: list[bool]) -> list[float]:
    """When frames leave: each `late_s` behind its time, some of them urgent."""
    sent_at, tick = LocalSeconds(start), pace.tick(LocalSeconds(start), 0)
    times = [start]
    for behind_s, hurry in zip(late_s, urgent, strict=True):
        sent_at = LocalSeconds(pace.due(sent_at, tick, sounding=True, urgent=hurry) + behind_s)
        tick = pace.tick(sent_at, tick)
        times.append(sent_at)
    return times


def test_the_first_frame_leaves_at_once() -> None:
    assert FAST.due(NEVER, 0, sounding=False, urgent=False) == -math.inf


def test_frames_leave_on_their_ticks_while_something_sounds() -> None:
    for sent_at in (10.0003, 10 - 1e-5):
        tick = FAST.tick(LocalSeconds(sent_at), 0)
        assert tick == 600
        assert math.isclose(FAST.due(LocalSeconds(sent_at), tick, sounding=True, urgent=False), 10 + 1 / 60)


def test_in_silence_the_strip_is_only_kept_awake() -> None:
    assert FAST.due(LocalSeconds(10.0), 600, sounding=False, urgent=False) == 11.0


def test_a_frame_that_is_urgent_takes_the_next_ticks_place() -> None:
    due = FAST.due(LocalSeconds(10.0), 600, sounding=True, urgent=True)
    assert math.isclose(due, 10.0155)
    assert FAST.tick(due, 600) == 601
    assert math.isclose(FAST.due(due, 601, sounding=True, urgent=False), 10 + 2 / 60)


def test_one_that_is_urgent_leaves_at_once_in_silence() -> None:
    assert FAST.due(LocalSeconds(10.0), 600, sounding=False, urgent=True) < 10.4


@given(paces, st.floats(0, 1000), st.lists(st.tuples(st.floats(0, 0.003), st.booleans()), min_size=60, max_size=60))
def test_no_more_frames_leave_than_the_strip_can_take(pace: Pace, start: float, fate: list[tuple[float, bool]]) -> None:
    times = frames(pace, start, [late_s for late_s, _ in fate], [urgent for _, urgent in fate])

    assert all(after - before >= 0.93 / pace.fps - 1e-9 for before, after in pairwise(times))
    assert all(after - before <= 2 / pace.fps + 0.004 for before, after in pairwise(times))
    assert times[-1] - times[0] >= (len(times) - 3) / pace.fps - 1e-6, (
        "never more than fps a second, early ones counted"
    )


@given(st.floats(0, 1000), st.lists(st.floats(0, 0.0011), min_size=60, max_size=60))
def test_lateness_does_not_add_up(start: float, late_s: list[float]) -> None:
    times = frames(FAST, start, late_s, [False] * len(late_s))

    assert times[-1] - start <= 60 / 60 + 0.02


@given(
    st.floats(0, 1 / 60, exclude_max=True), st.floats(0, 1000), st.lists(st.floats(0, 1e-4), min_size=24, max_size=24)
)
def test_frames_leave_on_the_rooms_ticks(phase_s: float, start: float, late_s: list[float]) -> None:
    pace = Pace(60, 1.0, phase_s)
    times = frames(pace, start, late_s, [False] * len(late_s))

    for left_at, behind_s in zip(times[20:], late_s[19:], strict=True):  # the first one left at once
        place = (left_at - behind_s + phase_s) * 60
        assert abs(place - round(place)) < 1e-3


@given(st.lists(st.floats(0, 1 / 60, exclude_max=True), min_size=2, max_size=30))
def test_however_the_rooms_clock_turns_frames_go_on(phases_s: list[float]) -> None:
    pace = Pace(60, 1.0, phases_s[0])
    sent_at, tick = LocalSeconds(1000.0), pace.tick(LocalSeconds(1000.0), 0)
    for phase_s in phases_s[1:]:
        pace = Pace(60, 1.0, phase_s)
        due = pace.due(sent_at, tick, sounding=True, urgent=False)
        assert 0.015 < due - sent_at < 3.1 / 60
        sent_at, tick = due, pace.tick(due, tick)


@given(st.floats(10.1, 11))
def test_behind_silence_the_first_sound_leaves_at_once(now: float) -> None:
    assert FAST.due(LocalSeconds(10.0), 600, sounding=True, urgent=False) <= now
