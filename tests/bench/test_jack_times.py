"""What a recording says of moments that are known."""

import numpy as np
import pytest

from tests.bench.jack_rig import click
from tests.bench.jack_times import Recording

RATE_HZ = 48_000
START_S = 1000.0


def recording(at: int, missed: slice = slice(0, 0)) -> Recording:
    """Two seconds with a click at frame `at`, by a card that is 20 ppm slow."""
    sound = np.random.default_rng(1).normal(0, 0.001, 2 * RATE_HZ).astype(np.float32)
    sound[at : at + len(click(RATE_HZ))] += click(RATE_HZ)
    is_missed = np.zeros(len(sound), np.bool_)
    is_missed[missed] = True
    times = np.array([[24_000.0, START_S], [72_000.0, START_S + 20e-6]])
    return Recording(RATE_HZ, sound, is_missed, np.zeros(0, np.int64), times)


@pytest.mark.parametrize("frame", [0, 30_000, 90_000])
def test_a_frame_has_a_time_and_the_time_that_frame(frame: int) -> None:
    recorded = recording(0)

    assert recorded.frame_at(float(recorded.time_of(np.array([frame]))[0])) == frame


def test_a_click_is_heard_as_long_after_it_was_sent_as_it_took() -> None:
    recorded = recording(40_000)
    sent_s = float(recorded.time_of(np.array([40_000]))[0]) - 0.0314

    assert recorded.delay_s(sent_s, click(RATE_HZ)) == pytest.approx(0.0314, abs=1.5 / RATE_HZ)


def test_what_was_not_heard_is_told_from_what_was_not_recorded() -> None:
    nowhere, gap = recording(0), recording(40_000, slice(41_000, 41_100))

    assert np.isnan(nowhere.delay_s(START_S + 1.0, click(RATE_HZ)) or 0.0)
    assert gap.delay_s(START_S + 40_000 / RATE_HZ, click(RATE_HZ)) is None
    assert gap.delay_s(START_S + 10.0, click(RATE_HZ)) is None
