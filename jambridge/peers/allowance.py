"""How much may arrive, and when it is a flood. Pure: time is a parameter."""

import math

FLOOD_S = 5.0  # above the rate, never pausing for longer than a second: no stall of a network


class Allowance:
    """Up to `burst` at once, refilled at `rate` a second."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._refilled_at = now
        self._exceeded_at = self._exceeding_since = -math.inf

    def takes(self, now: float) -> bool:
        """Whether one more at `now`, seconds, is within the allowance."""
        self._left = min(self._left + self._rate * (now - self._refilled_at), self._burst)
        self._refilled_at = now
        if self._left >= 1:
            self._left -= 1
            return True
        if now - self._exceeded_at > 1:
            self._exceeding_since = now
        self._exceeded_at = now
        return False

    @property
    def is_flooded(self) -> bool:
        return self._exceeded_at - self._exceeding_since >= FLOOD_S
