"""The rig on sounds whose delay is known."""

import numpy as np
import pytest

from tests.bench.jack_rig import Way, click, find, measure, plan
from tests.bench.through import on_jack
from tests.fakes.jack import jack

RATE_HZ = 48_000


def heard(delay: int, scale: float) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    sound = np.zeros(9_000, np.float32)
    template = click(RATE_HZ)
    sound[delay : delay + len(template)] = scale * template
    return sound + np.random.default_rng(1).normal(0, 0.001, 9_000).astype(np.float32)


@pytest.mark.parametrize("scale", [1.0, 0.1, -0.5])
def test_a_click_is_found_to_the_sample_however_loud_and_whichever_way_round(scale: float) -> None:
    found = find(click(RATE_HZ), heard(1234, scale))

    assert found is not None
    assert found[0] == 1234
    assert found[1] == pytest.approx(abs(scale), abs=0.01)


def test_noise_is_no_click() -> None:
    noise = np.random.default_rng(2).normal(0, 0.3, 9_000).astype(np.float32)

    assert find(click(RATE_HZ), noise) is None


def test_clicks_fall_everywhere_within_a_period_and_take_turns() -> None:
    clicks = plan(60 * RATE_HZ, 2, RATE_HZ)

    assert len({position % 128 for position, _ in clicks}) > 80
    assert [number for _, number in clicks[:4]] == [0, 1, 0, 1]


@pytest.mark.slow
def test_what_portaudio_passes_on_comes_whole_periods_later() -> None:
    with jack(period_frames=256) as server, on_jack(server) as (into, out_of):
        way = measure(server, {"through": Way(into, out_of)}, 3).ways["through"]

    periods = way.delays_ms[~np.isnan(way.delays_ms)] * RATE_HZ / 1000 / 256
    assert len(periods) > 5
    assert periods == pytest.approx(np.rint(periods), abs=1e-6)
    assert way.level_db == pytest.approx(6, abs=0.1)
