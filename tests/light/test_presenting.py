import math

from hypothesis import given
from hypothesis import strategies as st

from jambridge.light import presenting
from jambridge.light.presenting import FALLS_AFTER_S, MOST_S, SAID_BEFORE_S, TICK_S, Delay, Need, Timing
from jambridge.units import LocalSeconds

needs = st.floats(-1, 10)
delays = st.lists(st.builds(Delay, st.floats(0, 1), st.floats(0, 100)), max_size=4)


def at(seconds: float) -> LocalSeconds:
    return LocalSeconds(seconds)


@given(needs)
def test_what_is_rounded_stays_also_where_it_was_told_in_microseconds(needed_s: float) -> None:
    rounded_s = presenting.rounded_s(needed_s)

    assert presenting.rounded_s(rounded_s) == rounded_s
    assert presenting.rounded_s(round(rounded_s, 6)) == rounded_s


@given(needs)
def test_a_delay_is_enough_and_ends_between_two_ticks(needed_s: float) -> None:
    delay_s = Need().follow(needed_s, at(0))

    assert delay_s >= min(needed_s, MOST_S) - 1e-5
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
    def first(*seconds: float) -> float | None:
        return presenting.timing(Timing(), [Delay(one) for one in seconds], {}, 100).delay_s

    assert first() == 0
    assert first(0.05) == 0.05
    assert first(0.05, 0.09) == 0.09
    assert first(0.05, 1.0) == MOST_S
    timing = presenting.timing(Timing(), [], {"ada": 0.0123}, 100)
    assert (timing.way_s("ada"), timing.way_s("bob")) == (0.012, 0.0)


def test_another_delay_counts_for_what_is_played_from_the_moment_that_was_said() -> None:
    before = presenting.timing(Timing(), [Delay(0.05)], {}, 100)

    now = presenting.timing(before, [Delay(0.05), Delay(0.09, 101)], {}, 100)

    assert (now.at(100.99), now.at(101)) == (0.05, 0.09)
    assert presenting.timing(now, [Delay(0.05), Delay(0.09, 101)], {}, 100.2) == now
    falls = presenting.timing(now, [Delay(0.05, 103)], {}, 102)
    assert (falls.at(102.99), falls.at(103)) == (0.09, 0.05)


def test_one_that_changes_again_before_it_counted_never_did() -> None:
    before = presenting.timing(Timing(), [Delay(0.05)], {}, 100)
    now = presenting.timing(before, [Delay(0.09, 101)], {}, 100)

    again = presenting.timing(now, [Delay(0.12, 101.5)], {}, 100.5)

    assert (again.at(101.2), again.at(101.5)) == (0.05, 0.12)


def test_a_room_whose_clock_is_another_does_not_wait_for_what_was_said_by_the_old_one() -> None:
    before = presenting.timing(Timing(), [Delay(0.05)], {}, 5000)
    now = presenting.timing(before, [Delay(0.09, 5001)], {}, 5000)
    assert now.at(5000) == 0.05

    assert presenting.timing(now, [Delay(0.09, 5001)], {}, 30).at(30) == 0.09


@given(delays, delays, st.floats(0, 100))
def test_no_delay_is_longer_in_coming_than_one_that_is_said_now(
    first: list[Delay], then: list[Delay], room_s: float
) -> None:
    before = presenting.timing(Timing(), first, {}, room_s)

    now = presenting.timing(before, then, {}, room_s)

    longest_s = max((one.seconds for one in then), default=0.0)
    assert now.at(room_s + SAID_BEFORE_S + TICK_S) == min(longest_s, MOST_S)


@given(st.floats(0, 1e6))
def test_what_is_said_begins_between_two_ticks(room_s: float) -> None:
    since_s = presenting.said_at(room_s)

    assert abs(since_s - room_s - SAID_BEFORE_S) <= TICK_S / 2 + 1e-6
    assert math.isclose(since_s / TICK_S % 1, 0.5, abs_tol=1e-3)


def test_a_late_one_in_two_hundred_is_not_waited_for() -> None:
    assert presenting.nearly_most([]) is None
    assert presenting.nearly_most([0.03] * 199 + [0.5]) == 0.03
    assert presenting.nearly_most([0.03] * 97 + [0.5] * 3) == 0.5
