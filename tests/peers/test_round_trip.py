"""The way to a peer and back, measured over real connections."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.peers.round_trip import LATEST, PERIOD_S, UNEVEN_PERIOD_S, RoundTrip
from jambridge.units import LocalSeconds, PeerId
from tests.fakes.switch import Switch, member
from tests.fakes.waiting import until


def asked(trip: RoundTrip, now: float, *answers_s: float | None) -> float:
    """One answer after another, as often as it wants to know; when the next is due."""
    for seconds in answers_s:
        trip.observe(seconds, LocalSeconds(now))
        now += trip.period_s
    return now


def jittery(random: np.random.Generator, way_s: float, jitter_s: float) -> float:
    """There and back, each up to twice the jitter late."""
    return float(2 * way_s + random.uniform(0, 2 * jitter_s, 2).sum())


def test_the_median_counts_and_one_lost_request_is_no_delay() -> None:
    trip = RoundTrip()
    assert (trip.seconds, trip.least_s) == (None, None)
    now = asked(trip, 100.0, 0.010, 0.012, 0.511, 0.011, 0.013)
    assert (trip.seconds, trip.least_s) == (0.012, 0.010)
    asked(trip, now, 0.2, 0.2, 0.2)
    assert trip.seconds == 0.2


def test_without_answers_it_is_unknown_in_the_end() -> None:
    trip = RoundTrip()
    now = asked(trip, 100.0, 0.010, 0.012, 0.011, 0.012, 0.012)

    known = []
    for _ in range(6):
        now = asked(trip, now, None)
        known.append((trip.seconds is not None, trip.least_s is not None))

    assert known[0] == (True, True)
    assert known[-1] == (False, False)


def test_an_uneven_way_is_asked_for_more_often_than_an_even_one() -> None:
    random = np.random.default_rng(1)
    even, uneven = RoundTrip(), RoundTrip()
    assert even.period_s == UNEVEN_PERIOD_S, "until it is known"

    asked(even, 100.0, *(jittery(random, 0.02, 0.0005) for _ in range(LATEST)))
    asked(uneven, 100.0, *(jittery(random, 0.02, 0.01) for _ in range(LATEST)))

    assert (even.period_s, uneven.period_s) == (PERIOD_S, UNEVEN_PERIOD_S)


@given(seed=st.integers(0, 2**32 - 1), way_s=st.floats(0, 0.2))
def test_half_of_the_quickest_is_the_way_within_a_quarter_of_the_jitter(seed: int, way_s: float) -> None:
    random, trip = np.random.default_rng(seed), RoundTrip()

    asked(trip, 100.0, *(jittery(random, way_s, 0.01) for _ in range(300)))

    assert trip.least_s is not None
    assert way_s - 1e-9 <= trip.least_s / 2 <= way_s + 0.005


@pytest.mark.parametrize("longer_s", [-0.02, 0.02])
def test_another_way_is_known_after_a_few_answers_where_it_is_even(longer_s: float) -> None:
    random, trip = np.random.default_rng(1), RoundTrip()
    now = asked(trip, 100.0, *(jittery(random, 0.03, 0.0002) for _ in range(100)))

    asked(trip, now, *(jittery(random, 0.03 + longer_s, 0.0002) for _ in range(LATEST)))

    assert trip.least_s is not None
    assert trip.least_s / 2 == pytest.approx(0.03 + longer_s, abs=1e-3)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=200))
def test_the_quickest_is_never_slower_than_the_quickest_of_the_latest(answers_s: list[float | None]) -> None:
    trip, now = RoundTrip(), 100.0

    for seconds in answers_s:
        now = asked(trip, now, seconds)

    given = [one for one in answers_s if one is not None]
    if trip.least_s is not None:
        assert min(given) <= trip.least_s <= max(given)


def test_each_measures_the_other_whether_it_sends_or_not_and_both_count_the_path() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "listener") as listener, member(switch, "player", 440) as player:
            for one in (listener, player):
                await until(lambda one=one: [peer.network_ms for peer in one.mesh.peers()] not in ([], [None]))  # type: ignore[misc]
                (status,) = one.mesh.peers()
                assert status.id != PeerId(one.id)
                assert status.network_ms is not None
                assert 0 < status.network_ms < 100
                assert status.failures == 0
                assert one.mesh.paths == {"host": 1}

    asyncio.run(scenario())
