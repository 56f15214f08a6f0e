"""What a host's clock is, from samples of unequal worth: offset and rate. Pure.

A Kalman filter of two states (Kalman, 1960): quick while nothing is known of the rate, and hard to move once it is, so
that neither a new host's other quartz nor an hour under load moves the clock far.
"""

import math

from jambridge.units import LocalSeconds

MAX_RATE = 3e-4  # two quartz oscillators differ by a tenth of it
RATE_SIGMA = 1e-4  # of a host not known yet, seconds a second
OFFSET_NOISE = 1e-5  # by which a second makes the offset less certain, seconds
RATE_NOISE = 3e-7  # and the rate: quartz warms up, and system time disciplines it
STRANGE_SIGMAS = 4.0
STRANGE = 3  # samples in a row: it is the clock that changed, and not the network


class Estimate:
    """Offset (theirs less ours) and rate (how much the offset grows a second) as of `at`."""

    def __init__(self, at: LocalSeconds, offset_s: float, sigma_s: float, rate: float = 0.0) -> None:
        self.at = at
        self.offset_s = offset_s
        self.rate = rate
        self._offset_variance = sigma_s**2
        self._covariance = 0.0
        self._rate_variance = RATE_SIGMA**2
        self._strange = 0

    @property
    def rate_sigma(self) -> float:
        return math.sqrt(max(self._rate_variance, 0.0))

    def at_time(self, now: LocalSeconds) -> float:
        return self.offset_s + self.rate * (now - self.at)

    def update(self, now: LocalSeconds, offset_s: float, sigma_s: float) -> None:
        """Learn that the offset was measured as `offset_s` at `now`, give or take `sigma_s`."""
        self._predict(now)
        innovation_s = offset_s - self.offset_s
        if innovation_s**2 > STRANGE_SIGMAS**2 * (self._offset_variance + sigma_s**2):
            self._strange += 1
            if self._strange < STRANGE:
                return
            self._offset_variance = max(self._offset_variance, innovation_s**2)
            self._rate_variance = RATE_SIGMA**2
        self._strange = 0
        self._correct(innovation_s, sigma_s)

    def _predict(self, now: LocalSeconds) -> None:
        elapsed_s = max(now - self.at, 0.0)
        self.offset_s = self.at_time(now)
        self.at = now
        self._offset_variance += elapsed_s * (2 * self._covariance + elapsed_s * self._rate_variance + OFFSET_NOISE**2)
        self._covariance += elapsed_s * self._rate_variance
        self._rate_variance += elapsed_s * RATE_NOISE**2

    def _correct(self, innovation_s: float, sigma_s: float) -> None:
        total = self._offset_variance + sigma_s**2
        offset_gain, rate_gain = self._offset_variance / total, self._covariance / total
        self.offset_s += offset_gain * innovation_s
        self.rate = min(max(self.rate + rate_gain * innovation_s, -MAX_RATE), MAX_RATE)
        self._rate_variance -= rate_gain * self._covariance
        self._covariance *= 1 - offset_gain
        self._offset_variance *= 1 - offset_gain
