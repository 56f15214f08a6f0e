"""The way to a peer and back, measured over real connections."""

import asyncio

from jambridge.peers.round_trip import RoundTrip
from jambridge.units import PeerId
from tests.fakes.switch import Switch, member
from tests.fakes.waiting import until


def test_the_median_counts_and_one_lost_request_is_no_delay() -> None:
    trip = RoundTrip()
    assert (trip.seconds, trip.least_s) == (None, None)
    for seconds in (0.010, 0.012, 0.511, 0.011, 0.013):
        trip.observe(seconds)
    assert (trip.seconds, trip.least_s) == (0.012, 0.010)
    for seconds in (0.2, 0.2, 0.2):
        trip.observe(seconds)
    assert trip.seconds == 0.2


def test_without_answers_it_is_unknown_in_the_end() -> None:
    trip = RoundTrip()
    for seconds in (0.010, 0.012, 0.011, 0.012, 0.012):
        trip.observe(seconds)

    known = []
    for _ in range(6):
        trip.observe(None)
        known.append((trip.seconds is not None, trip.least_s is not None))

    assert known[0] == (True, True)
    assert known[-1] == (False, False)


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
