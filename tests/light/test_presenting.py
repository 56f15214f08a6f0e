from hypothesis import given
from hypothesis import strategies as st

from jambridge.light import presenting
from jambridge.light.presenting import FALLS_AFTER_S, MOST_S, TICK_S, Need
from jambridge.units import LocalSeconds

needs = st.floats(-1, 10)


def at(seconds: float) -> LocalSeconds:
    return LocalSeconds(seconds)


@given(needs)
def test_what_is_rounded_stays(needed_s: float) -> None:
    assert presenting.rounded_s(presenting.rounded_s(needed_s)) == presenting.rounded_s(needed_s)


@given(needs)
def test_a_delay_is_enough_and_ends_between_two_ticks(needed_s: float) -> None:
    delay_s = Need().follow(needed_s, at(0))

    assert delay_s >= min(needed_s, MOST_S)
    assert delay_s <= MOST_S
    assert abs(delay_s / TICK_S % 1 - 0.5) < 1e-6


def test_it_rises_at_once_and_falls_after_a_while() -> None:
    need = Need()
    low, high = Need().follow(0.03, at(0)), Need().follow(0.1, at(0))

    assert need.follow(0.03, at(0)) == low
    assert need.follow(0.1, at(1)) == high
    assert need.follow(0.03, at(1 + FALLS_AFTER_S)) == high
    assert need.follow(0.03, at(1.1 + FALLS_AFTER_S)) == low


def test_the_one_that_needs_longest_is_waited_for_but_not_for_ever() -> None:
    assert presenting.timing(0.05, None, {}).delay_s == 0.05
    assert presenting.timing(0.05, 0.09, {}).delay_s == 0.09
    assert presenting.timing(0.05, 1.0, {}).delay_s == MOST_S
    timing = presenting.timing(0.05, None, {"ada": 0.0123})
    assert (timing.way_s("ada"), timing.way_s("bob")) == (0.012, 0.0)


def test_a_late_one_in_a_hundred_is_not_waited_for() -> None:
    assert presenting.nearly_most([]) is None
    assert presenting.nearly_most([0.03] * 99 + [0.5]) == 0.03
    assert presenting.nearly_most([0.03] * 95 + [0.5] * 5) == 0.5
