import pickle
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.sync.clock import MAX_SLEW, Course, RoomClock
from jambridge.sync.estimate import MAX_RATE
from jambridge.sync.offset import Exchange, RemoteSeconds
from jambridge.units import LocalSeconds, RoomSeconds
from tests.sync.simulated import World, busy, lan

STEP_S = 0.05
SETTLED_S = 10.0


def exchange(at: float, offset: float, delay: float = 0.001) -> Exchange:
    there = at - delay / 2 + offset
    return Exchange(LocalSeconds(at - delay), RemoteSeconds(there), RemoteSeconds(there), LocalSeconds(at))


@pytest.mark.parametrize("ppm", [(100, -100, 0), (-100, 100, 50), (0, 0, 0)])
@pytest.mark.parametrize("seed", range(3))
def test_three_clocks_agree_within_two_milliseconds_and_through_a_change_of_host(
    ppm: tuple[float, ...], seed: int
) -> None:
    world = World(busy, ppm, seed)
    world.run(2)
    before = [machine.room for machine in world.machines]
    for step in range(1, 2400):
        world.run(2 + step * STEP_S)
        if step == 1200:
            world.machines[0].is_up = False
            world.host = world.machines[1].id
        assert world.apart() < (0.002 if step * STEP_S > SETTLED_S else 0.003)
        rooms = [machine.room for machine in world.machines]
        advanced = [now - then for now, then in zip(rooms, before, strict=True)]
        assert all(abs(one - STEP_S) < STEP_S * (MAX_SLEW + 1.1e-4) + 1e-9 for one in advanced)
        before = rooms
    assert [machine.sync.report.value.steps for machine in world.machines] == [0, 1, 1]


def test_on_a_quiet_network_they_agree_within_a_quarter_of_a_millisecond() -> None:
    world = World(lan, (20, -30, 5))
    world.run(30)
    for step in range(600):
        world.run(30 + step * STEP_S)
        assert world.apart() < 0.00025


@pytest.mark.parametrize("seed", range(5))
def test_where_both_ways_are_uneven_they_agree_within_two_milliseconds(seed: int) -> None:
    world = World(lambda rng, _now: rng.uniform(0.02, 0.04), (30, -30), seed)
    world.run(20)
    for step in range(1200):
        world.run(20 + step * STEP_S)
        assert world.apart() < 0.002


@given(st.lists(st.tuples(st.floats(0, 0.1), st.floats(0, 0.1)), min_size=2, max_size=8))
def test_the_quickest_way_there_and_that_back_may_be_of_two_exchanges(
    ways_s: list[tuple[float, float]],
) -> None:
    clock, exchanges = RoomClock(LocalSeconds(100)), []
    for index, (there_s, back_s) in enumerate(ways_s):
        sent = 101 + index / 10
        received = RemoteSeconds(sent + there_s + 5000)
        exchanges.append(Exchange(LocalSeconds(sent), received, received, LocalSeconds(sent + there_s + back_s)))

    for one in sorted(exchanges, key=lambda one: one.t4):
        clock.observe(one, 0)

    slowest_s = max(min(there_s for there_s, _ in ways_s), min(back_s for _, back_s in ways_s))
    assert clock.room_s(LocalSeconds(103)) == pytest.approx(5103, abs=slowest_s / 2 + 1e-3)


def test_a_newcomer_agrees_with_everybody_within_a_second_also_after_the_host_has_changed() -> None:
    world = World(lan, (100, -100, 0, 50))
    newcomer = world.machines[3]
    newcomer.is_up = False
    world.run(60)
    world.machines[0].is_up = False
    world.host = world.machines[1].id
    world.run(120)
    newcomer.is_up = True
    newcomer.ping()
    world.run(121)
    assert world.apart() < 0.002
    assert newcomer.sync.report.value.steps == 1


def test_a_queue_that_fills_one_way_for_ten_seconds_moves_the_clock_little() -> None:
    def clogged(rng: random.Random, now: float) -> float | None:
        toward_host = rng.random() < 0.5
        return rng.uniform(0, 0.002) + (0.04 if toward_host and 60 < now < 70 else 0)

    world = World(clogged, (20, -20))
    for step in range(2000):
        world.run(2 + step * STEP_S)
        assert world.apart() < 0.003


def test_it_runs_on_while_the_host_is_silent() -> None:
    world = World(lan, (100, -100))
    world.run(60)
    world.delay = lambda _rng, _now: None
    world.run(90)
    assert world.apart() < 0.002


def test_a_host_that_slept_is_followed_again() -> None:
    world = World(lan, (0, 0))
    world.run(10)
    world.machines[0].sleep(600)
    world.run(world.now + 10)
    assert world.apart() < 0.002
    assert world.machines[1].sync.report.value.steps == 2


def test_without_a_host_the_clock_is_our_own() -> None:
    clock = RoomClock(LocalSeconds(100))

    assert clock.room_s(LocalSeconds(123.5)) == 123.5


def test_a_host_goes_on_from_where_it_was() -> None:
    clock = RoomClock(LocalSeconds(100))
    clock.observe(exchange(101, 5000), 0)
    before = clock.room_s(LocalSeconds(110))
    clock.lead(LocalSeconds(110))

    assert before == pytest.approx(5110)
    assert clock.room_s(LocalSeconds(110)) == before
    assert clock.room_s(LocalSeconds(111)) == before + 1


def test_in_the_first_second_it_jumps_forward_or_stands_still() -> None:
    clock = RoomClock(LocalSeconds(100))
    clock.observe(exchange(101, 50, delay=0.1), 0)
    clock.observe(exchange(101.1, 50.02, delay=0.01), 0)
    assert clock.room_s(LocalSeconds(101.1)) == pytest.approx(151.12)
    clock.observe(exchange(101.2, 50.01, delay=0.001), 0)
    assert clock.room_s(LocalSeconds(101.2)) == pytest.approx(151.22)
    assert clock.room_s(LocalSeconds(101.21)) == pytest.approx(151.22)
    assert clock.room_s(LocalSeconds(101.31)) == pytest.approx(151.32)


@given(
    offsets=st.lists(
        st.tuples(st.floats(0.01, 3), st.floats(-0.09, 0.09), st.floats(0.0, 0.5), st.booleans()), max_size=40
    )
)
def test_room_time_never_goes_back_whatever_a_host_says(offsets: list[tuple[float, float, float, bool]]) -> None:
    clock, now, seen = RoomClock(LocalSeconds(0)), 1.0, RoomSeconds(0)
    clock.observe(exchange(now, 1000), 0)
    for wait, offset, delay, changes in offsets:
        for part in range(1, 5):
            room = clock.room_s(LocalSeconds(now + wait * part / 4))
            assert room >= seen - 1e-9
            seen = room
        now += wait
        if changes:
            clock.forget()
        clock.observe(exchange(now, 1000 + offset, delay), 0)
        assert abs(clock.course.rate) <= MAX_RATE
        assert clock.steps == 1


@given(
    rate=st.floats(-MAX_RATE, MAX_RATE),
    slew=st.floats(-MAX_SLEW, MAX_SLEW),
    slew_s=st.floats(0, 10),
    local=st.floats(900, 1100),
)
def test_a_course_is_its_own_inverse_and_can_be_sent_to_another_process(
    rate: float, slew: float, slew_s: float, local: float
) -> None:
    course = Course(LocalSeconds(1000), RoomSeconds(7), rate, slew, slew_s)

    again = pickle.loads(pickle.dumps(course))

    assert again.local_s(again.room_s(LocalSeconds(local))) == pytest.approx(local, abs=1e-9)
