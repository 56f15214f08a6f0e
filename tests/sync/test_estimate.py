import random

import pytest

from jambridge.sync.estimate import Estimate
from jambridge.units import LocalSeconds

EVERY_S = 0.25


def taught(estimate: Estimate, rate: float, noise_s: float, begin: float, seconds: float) -> None:
    rng = random.Random(1)
    for step in range(1, int(seconds / EVERY_S)):
        now = begin + step * EVERY_S
        estimate.update(LocalSeconds(now), 5.0 + rate * now + rng.gauss(0, noise_s), noise_s)


def test_offset_and_rate_are_learnt_from_noise() -> None:
    estimate = Estimate(LocalSeconds(0), 5.0, 0.001)
    taught(estimate, 1e-4, 0.0005, 0, 60)

    assert estimate.at_time(LocalSeconds(70)) == pytest.approx(5.007, abs=0.0003)
    assert estimate.rate == pytest.approx(1e-4, abs=1e-5)


def test_one_strange_sample_changes_nothing_and_a_clock_that_changed_is_followed() -> None:
    estimate = Estimate(LocalSeconds(0), 5.0, 0.001)
    taught(estimate, 0, 0.0001, 0, 60)
    estimate.update(LocalSeconds(60), 5.02, 0.0001)
    assert estimate.at_time(LocalSeconds(60)) == pytest.approx(5.0, abs=0.0002)
    for step in range(1, 20):
        estimate.update(LocalSeconds(60 + step * EVERY_S), 5.02, 0.0001)
    assert estimate.at_time(LocalSeconds(65)) == pytest.approx(5.02, abs=0.001)


def test_a_sample_that_may_be_far_off_weighs_little() -> None:
    estimate = Estimate(LocalSeconds(0), 5.0, 0.0001)
    estimate.update(LocalSeconds(0.25), 5.01, 0.05)

    assert estimate.at_time(LocalSeconds(0.25)) == pytest.approx(5.0, abs=0.0001)
