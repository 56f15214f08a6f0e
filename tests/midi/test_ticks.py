"""The clock against the room's beat, on a time of its own."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.midi import message as midi
from jambridge.midi.follow import ClockFollower
from jambridge.midi.ticks import PER_BEAT, Ticks
from jambridge.sync.beat import Beat
from jambridge.units import LocalSeconds, RoomSeconds

TEMPOS = st.floats(40, 300)
CLOCK, START, CONTINUE, STOP = (bytes((one,)) for one in (midi.CLOCK, midi.START, midi.CONTINUE, midi.STOP))
NOW = RoomSeconds(1000.0)
Told = tuple[float, bytes]


def run(ticks: Ticks, seconds: float) -> list[Told]:
    """All that is sent until `seconds` after the next tick, each with its room time."""
    told: list[Told] = []
    end = ticks.due + seconds
    while ticks.due < end:
        at = ticks.due
        told += [(at, message) for message in ticks.next()]
    return told


def test_a_song_begins_with_start_and_a_clock_on_its_first_beat() -> None:
    ticks = Ticks(Beat(NOW, 0.0, 120.0), NOW)
    ticks.follow(ticks._beat.changed(120.0, is_playing=True, now=RoomSeconds(1003.33)), RoomSeconds(1003.334))

    told = run(ticks, 1.0)

    assert [message for _, message in told[:3]] == [START, CLOCK, CLOCK]
    assert told[0][0] == pytest.approx(1003.334)
    assert [message for _, message in told].count(CLOCK) == pytest.approx(48, abs=1)


def test_who_comes_while_it_plays_is_told_the_place_and_goes_on_there() -> None:
    ticks = Ticks(Beat(RoomSeconds(NOW - 10.01), 0.0, 120.0, is_playing=True), NOW)

    told = run(ticks, 0.3)
    places = [(at, message) for at, message in told if message[0] != midi.CLOCK]

    assert [message for _, message in places] == [bytes((midi.SONG_POSITION, 81, 0)), CONTINUE]
    assert places[0][0] == pytest.approx(NOW - 10.01 + 81 / 8)


def test_it_stops_and_the_clock_goes_on() -> None:
    beat = Beat(NOW, 0.0, 120.0, is_playing=True)
    ticks = Ticks(beat, NOW)
    run(ticks, 1.0)
    ticks.follow(beat.changed(120.0, is_playing=False, now=RoomSeconds(1001.0)), RoomSeconds(1001.0))

    told = [message for _, message in run(ticks, 1.0)]

    assert told[:2] == [STOP, CLOCK]
    assert told.count(CLOCK) == pytest.approx(48, abs=1)
    assert ticks.end() == []


@given(TEMPOS, TEMPOS, st.floats(0.0, 3.0))
def test_a_change_of_tempo_makes_no_gap_and_no_burst(before: float, after: float, at: float) -> None:
    beat = Beat(NOW, 0.0, before, is_playing=True)
    ticks = Ticks(beat, NOW)
    first = run(ticks, at)
    now = RoomSeconds(ticks.due - 30 / before / PER_BEAT)
    ticks.follow(beat.changed(after, is_playing=True, now=now), now)

    moments = [at for at, message in first + run(ticks, 1.0) if message == CLOCK]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]

    shortest, longest = sorted((60 / before / PER_BEAT, 60 / after / PER_BEAT))
    assert min(gaps) > shortest * 0.94
    assert max(gaps) < longest * 1.06


@given(TEMPOS, st.floats(-0.2, 0.2))
def test_what_is_off_is_led_to_the_rooms_beat(tempo: float, off_beats: float) -> None:
    beat = Beat(NOW, 0.0, tempo, is_playing=True)
    ticks = Ticks(beat, NOW)
    run(ticks, 1.0)
    ticks.follow(Beat(RoomSeconds(NOW + off_beats * 60 / tempo), 0.0, tempo, is_playing=True), ticks.due)

    told = run(ticks, 400 * 60 / tempo / PER_BEAT)

    assert {message for _, message in told} == {CLOCK}
    assert abs(ticks._error) < 0.05


def test_who_stood_still_goes_on_where_the_room_is() -> None:
    ticks = Ticks(Beat(NOW, 0.0, 120.0, is_playing=True), NOW)
    run(ticks, 1.0)
    ticks.skip(RoomSeconds(NOW + 60.0))

    told = run(ticks, 0.2)

    assert told[0][0] >= NOW + 60.0
    assert [message[0] for _, message in told if message != CLOCK] == [midi.STOP, midi.SONG_POSITION, midi.CONTINUE]


@given(TEMPOS, st.lists(st.floats(0, 0.0014), min_size=100, max_size=100))
def test_a_clock_that_comes_in_periods_is_followed_to_a_hundredth(tempo: float, late_s: list[float]) -> None:
    follower = ClockFollower()
    told = [
        follower.take(1, CLOCK, LocalSeconds(100 + number * 60 / tempo / PER_BEAT + late))
        for number, late in enumerate(late_s)
    ]

    tempos = [one.tempo for one in told if one is not None]

    assert tempos == [pytest.approx(tempo, rel=0.03)] * len(tempos)
    assert not 41 < tempo < 299 or tempos


@pytest.mark.parametrize("tempo", [30.0, 39.0, 301.0, 400.0])
def test_a_clock_that_no_room_can_keep_is_not_followed(tempo: float) -> None:
    follower = ClockFollower()
    told = [follower.take(1, CLOCK, LocalSeconds(100 + number * 60 / tempo / PER_BEAT)) for number in range(200)]

    assert set(told) == {None}


def test_at_most_ten_tempos_a_second_and_only_of_the_first_clock() -> None:
    follower = ClockFollower()
    told, at = [], 100.0
    for number in range(600):
        at += 60 / (100 + number / 10) / PER_BEAT
        told.append((at, follower.take(1, CLOCK, LocalSeconds(at))))
        assert follower.take(2, CLOCK, LocalSeconds(at)) is None
    moments = [at for at, one in told if one is not None]

    assert len(moments) > 5
    assert min(later - earlier for earlier, later in itertools.pairwise(moments)) >= 0.1
    assert follower.take(1, STOP, LocalSeconds(at)) is not None
    assert follower.take(2, START, LocalSeconds(at + 2)) is not None
