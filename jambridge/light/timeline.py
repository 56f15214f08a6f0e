"""When each sample of a source would have come if the network had no jitter. Pure: time is a parameter.

The quickest packets of the last seconds say it; one that came late says only that it did.
"""

import math

from jambridge.units import SAMPLE_RATE_HZ, Frames, LocalSeconds

WINDOW_S = 5.0  # twice as long is remembered; two quartz oscillators part by a millisecond in it
GAP_S = 0.25  # so late is no packet: the source paused, and its positions did not go on


class Timeline:
    def __init__(self) -> None:
        self._begun_at = LocalSeconds(-math.inf)
        self._least_s = self._newest_least_s = math.inf
        """Arrival less position, of the window before and of this one."""

    def follow(self, written: Frames, at: LocalSeconds) -> None:
        """Up to position `written` it has come `at`."""
        offset_s = at - written / SAMPLE_RATE_HZ
        if offset_s - self._offset_s > GAP_S:
            self._least_s = self._newest_least_s = math.inf
            self._begun_at = at
        elif at - self._begun_at > WINDOW_S:
            self._least_s, self._newest_least_s = self._newest_least_s, math.inf
            self._begun_at = at
        self._newest_least_s = min(self._newest_least_s, offset_s)

    def at(self, position: Frames) -> LocalSeconds:
        """When the sample before `position` would have come; infinitely late before anything has."""
        return LocalSeconds(self._offset_s + position / SAMPLE_RATE_HZ)

    @property
    def _offset_s(self) -> float:
        return min(self._least_s, self._newest_least_s)
