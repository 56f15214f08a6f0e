"""Delays that are known, found again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.latency import chirp
from jambridge.latency.chirp import Pace, Samples

RATE_HZ = 48_000
BLOCK = 128


def noise(frames: int, level: float = 0.001) -> Samples:
    return np.random.default_rng(1).normal(0, level, frames).astype(np.float32)


def paced(blocks: int, begins_s: float, late_s: float = 0.0, rate_hz: float = RATE_HZ) -> Pace:
    """Callbacks of a card that began then; each is late by a random part of `late_s`, which only the middle is told."""
    positions = BLOCK * np.arange(blocks)
    late = np.random.default_rng(int(1000 * begins_s)).uniform(0, late_s, blocks)
    return Pace(list(positions), list(begins_s + positions / rate_hz + late), RATE_HZ)


@given(delay=st.integers(0, 10_000), gain=st.floats(0.01, 4), sign=st.sampled_from([1, -1]))
def test_a_chirp_is_found_to_the_sample_however_loud_and_whichever_way_round(
    delay: int, gain: float, sign: int
) -> None:
    template = chirp.chirp(RATE_HZ)
    heard = noise(12_000)
    heard[delay : delay + len(template)] += np.float32(sign * gain) * template

    found = chirp.find(template, heard)

    assert found is not None
    assert found.position == delay
    assert found.gain == pytest.approx(gain, abs=0.01)


@pytest.mark.parametrize("heard", [noise(20_000, 0.3), np.zeros(20_000, np.float32), np.zeros(3, np.float32)])
def test_where_no_chirp_is_none_is_found(heard: Samples) -> None:
    assert chirp.find(chirp.chirp(RATE_HZ), heard) is None


def test_chirps_fall_everywhere_within_a_block_and_each_can_be_heard_to_its_end() -> None:
    sound, begins = chirp.plan(1.0, 60.0, RATE_HZ)

    assert len({begin % BLOCK for begin in begins}) > 60
    assert begins[0] == RATE_HZ
    assert max(begins) + chirp.REACH_S * RATE_HZ < len(sound)
    assert np.diff(begins).min() > chirp.REACH_S * RATE_HZ


def test_a_round_trip_is_told_by_the_callbacks_of_both_streams() -> None:
    """The output began 0.2 s after the input: frame n of one is n + 9600 of the other. The cable takes 777 frames."""
    sound, begins = chirp.plan(1.0, 4.0, RATE_HZ)
    heard = np.stack([noise(6 * RATE_HZ), noise(6 * RATE_HZ)], axis=1)
    heard[9600 + 777 : 9600 + 777 + len(sound), 1] += sound / 2

    out, into = paced(2000, 100.2, 0.002), paced(2300, 100.0, 0.002)
    found = chirp.round_trips([out.moment_s(begin) for begin in begins], heard, into)

    assert len(found) > 5
    for echo in found:
        assert echo is not None
        assert echo.position == pytest.approx(777, abs=12)  # of 2 ms that each callback may be late, 0.25 ms are left
        assert echo.gain == pytest.approx(0.5, abs=0.01)


def test_a_stream_that_stood_still_is_judged_by_the_callbacks_around() -> None:
    whole = paced(2000, 50.0)
    positions = BLOCK * np.arange(2000)
    stood = Pace(list(positions), list(50.0 + positions / RATE_HZ + 0.5 * (positions > 96_000)), RATE_HZ)

    assert stood.moment_s(24_000) == pytest.approx(whole.moment_s(24_000), abs=1e-6)
    assert stood.moment_s(200_000) == pytest.approx(whole.moment_s(200_000) + 0.5, abs=1e-6)
    assert stood.frame(stood.moment_s(200_000)) == 200_000


def test_what_goes_in_circles_is_found_the_second_time_and_not_the_third() -> None:
    sound, begins = chirp.plan(0.5, 5.0, RATE_HZ)
    heard = noise(7 * RATE_HZ, 0.0005)
    for times in range(1, 6):
        at = 500 + 1234 * times
        heard[at : at + len(sound)] += np.float32(0.8 * 0.4 ** (times - 1)) * sound

    found = chirp.circles(heard, begins, RATE_HZ)

    assert {echo and echo.position for echo in found} == {1234}
    assert [echo and echo.gain for echo in found] == pytest.approx([0.4] * len(begins), abs=0.02)


def test_a_chirp_that_does_not_come_back_is_missed() -> None:
    sound, begins = chirp.plan(0.5, 2.0, RATE_HZ)

    assert chirp.circles(sound, begins, RATE_HZ) == [None] * len(begins)
    assert chirp.circles(np.zeros_like(sound), begins, RATE_HZ) == [None] * len(begins)
