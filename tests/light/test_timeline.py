import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.light.timeline import GAP_S, WINDOW_S, Timeline
from jambridge.units import Frames, LocalSeconds

PACKET = 480
PERIOD_S = 0.01


def played(timeline: Timeline, packets: range, late_s: float = 0.0, rate: float = 1.0) -> float:
    """Packets at their times, each late by so much; the moment of the last."""
    at = 0.0
    for number in packets:
        at = 100.0 + number * PERIOD_S * rate + late_s
        timeline.follow(Frames(number * PACKET), LocalSeconds(at))
    return at


@given(st.integers(0, 2**32 - 1))
def test_late_packets_do_not_move_it(seed: int) -> None:
    timeline, random = Timeline(), np.random.default_rng(seed)
    played(timeline, range(10))

    for number in range(10, 400):
        late_s = min(random.exponential(0.02), 0.2)  # what is later than GAP_S is a pause
        timeline.follow(Frames(number * PACKET), LocalSeconds(100 + number * PERIOD_S + late_s))

    assert timeline.at(Frames(400 * PACKET)) == pytest.approx(104.0, abs=1e-9)


@pytest.mark.parametrize("ppm", [-100, 100])
def test_it_goes_with_the_senders_clock(ppm: int) -> None:
    timeline = Timeline()

    at = played(timeline, range(6000), rate=1 + ppm / 1e6)

    assert timeline.at(Frames(5999 * PACKET)) == pytest.approx(at, abs=2e-3)


def test_a_longer_way_is_believed_after_a_while_and_a_shorter_one_at_once() -> None:
    timeline, window = Timeline(), round(2 * WINDOW_S / PERIOD_S) + 1
    played(timeline, range(10))

    played(timeline, range(10, 10 + window), late_s=0.1)
    assert timeline.at(Frames(0)) == pytest.approx(100.1)

    played(timeline, range(10 + window, 11 + window), late_s=0.03)
    assert timeline.at(Frames(0)) == pytest.approx(100.03)


def test_a_pause_begins_anew() -> None:
    timeline = Timeline()
    played(timeline, range(100))

    played(timeline, range(100, 101), late_s=GAP_S + 0.1)

    assert timeline.at(Frames(0)) == pytest.approx(100 + GAP_S + 0.1)


def test_before_anything_has_come_it_never_comes() -> None:
    assert Timeline().at(Frames(0)) == float("inf")
