"""The beat that a room shares."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.sync import messages
from jambridge.sync.beat import Beat
from jambridge.sync.messages import Pong
from jambridge.units import RoomSeconds
from tests.sync.test_service import HOST, OTHER, Bench

TEMPOS = st.floats(40, 300)


@given(TEMPOS, TEMPOS, st.floats(0, 1e5))
def test_a_change_of_tempo_moves_no_beat(before: float, after: float, later_s: float) -> None:
    beat = Beat(RoomSeconds(1000.0), 0.0, before, is_playing=True)
    now = RoomSeconds(1000.0 + later_s)

    changed = beat.changed(after, is_playing=True, now=now)

    assert changed.at_room(now) == pytest.approx(beat.at_room(now), abs=1e-6)
    assert changed.room_s(changed.at_room(now)) == pytest.approx(now)


def test_playing_begins_on_the_first_beat_and_stopping_goes_on() -> None:
    beat = Beat(RoomSeconds(0.0), 7.5, 90.0)
    playing = beat.changed(90.0, is_playing=True, now=RoomSeconds(3.0))

    assert playing == Beat(RoomSeconds(3.0), 0.0, 90.0, is_playing=True)
    assert playing.changed(90.0, is_playing=False, now=RoomSeconds(4.0)).at_room(RoomSeconds(5.0)) == 3.0


@given(st.floats(0, 1e6), st.floats(-1e9, 1e9), TEMPOS, st.booleans())
def test_a_pong_tells_the_beat(at: float, number: float, tempo: float, is_playing: bool) -> None:
    beat = Beat(RoomSeconds(at), number, tempo, is_playing)
    read = messages.decode(messages.encode(Pong("x", 1, 2, 3, 0, beat)))

    assert isinstance(read, Pong) and read.beat is not None
    assert read.beat == Beat(RoomSeconds(pytest.approx(at)), number, tempo, is_playing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "beat",
    [
        None,
        {},
        {"at": 1, "number": 1, "tempo": 1000, "isPlaying": True},
        {"at": 1, "number": 1e300, "tempo": 100, "isPlaying": True},
        {"at": "1", "number": 1, "tempo": 100, "isPlaying": True},
        {"at": 1, "number": 1, "tempo": 100, "isPlaying": 1},
    ],
)
def test_a_beat_that_makes_no_sense_is_refused(beat: object) -> None:
    pong = {"type": "pong", "id": 1, "t1": 1, "t2": 2, "t3": 3, "beat": beat}
    with pytest.raises(WireError):
        messages.decode(json.dumps(pong))


def test_the_hosts_beat_is_taken_unless_one_of_us_has_not_heard_of_a_change() -> None:
    bench = Bench()
    bench.sync.keep_beat(100.0, is_playing=True)
    own = bench.sync.beat.value

    def hear(peer: str, tempo: float) -> Beat:
        ping = bench.asked()
        bench.now += 0.002
        beat = {"at": 4_000_000.0, "number": 3.0, "tempo": tempo, "isPlaying": True}
        pong = {"type": "pong", "id": ping["id"], "t1": ping["t1"], "t2": 5e6, "t3": 5e6, "room": 0, "beat": beat}
        bench.hear(HOST if peer == "host" else OTHER, **pong)
        return bench.sync.beat.value

    assert hear("host", 120.0) == own
    assert hear("other", 100.0) == own
    assert hear("host", 100.0) == Beat(RoomSeconds(4000.0), 3.0, 100.0, is_playing=True)


def test_our_pong_tells_our_beat() -> None:
    bench = Bench(host=None)
    bench.sync.keep_beat(90.0, is_playing=True)
    bench.hear(OTHER, type="ping", id="x", t1=17.5)

    beat = bench.sent[-1][1]["beat"]

    assert (beat["tempo"], beat["isPlaying"], beat["number"]) == (90.0, True, 0.0)
