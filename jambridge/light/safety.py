"""The last of the chain: a strip never flashes more than three times in any second. Pure.

Source: WCAG 2.2, success criterion 2.3.1 and its "general flash" definition: a pair of opposing changes of relative
luminance of a tenth of the maximum or more. Here the rising half is counted, over the strip's mean, in two signals:
relative luminance, and the light of the brightest channel, for which a blue or red strobe is as bad as a white one.
"""

import math
from collections import deque

import numpy as np

from jambridge.light.colour import GAMMA, Colours
from jambridge.units import LocalSeconds

MOST_FLASHES_PER_S = 3.0
FLASH = 0.1  # of the maximum: a smaller change is none
HELD = 0.09  # how far light may rise when no flash is left; the rest is for the rounding to bytes
_SLACK_S = 1e-6  # of float subtraction
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # WCAG 2.2 "relative luminance"


class FlashLimiter:
    """Follows one strip. A rise too many is held near the level before it; hues are kept, falls are free."""

    def __init__(self, flashes_per_s: float = MOST_FLASHES_PER_S) -> None:
        self._signals = (_Rises(), _Rises())
        self.set_rate(flashes_per_s)

    def set_rate(self, flashes_per_s: float) -> None:
        """Whatever is asked for, more than three a second are never allowed; below one they are spread."""
        rate = min(max(flashes_per_s, 0.1), MOST_FLASHES_PER_S)
        self._budget = int(max(rate, 1.0))
        self._window_s = max(1.0, 1.0 / rate)

    def limit(self, colours: Colours, now: LocalSeconds) -> Colours:
        """The frame to show at `now`: `colours`, shape (pixels, 3), 0..1, or a darker copy; `now` never falls."""
        light = np.power(colours, np.float32(GAMMA))
        levels = (float((light @ _LUMINANCE).mean()), float(light.max(axis=1).mean()))
        scale = 1.0
        for signal, level in zip(self._signals, levels, strict=True):
            ceiling = signal.ceiling(signal.flashes_since(now - self._window_s + _SLACK_S) < self._budget)
            scale = min(scale, ceiling / level if level > ceiling else 1.0)
        for signal, level in zip(self._signals, levels, strict=True):
            signal.follow(level * scale, now)
        return colours if scale == 1.0 else colours * np.float32(scale ** (1 / GAMMA))


class _Rises:
    """The rises of one signal by at least FLASH after a fall by at least FLASH."""

    def __init__(self) -> None:
        self._rising = False
        self._turn = 0.0  # while falling the lowest level yet, while rising the highest
        self._times: deque[LocalSeconds] = deque(maxlen=int(MOST_FLASHES_PER_S))

    def flashes_since(self, since: float) -> int:
        return sum(at > since for at in self._times)

    def ceiling(self, may_flash: bool) -> float:
        return math.inf if may_flash or self._rising else self._turn + HELD

    def follow(self, level: float, now: LocalSeconds) -> None:
        if not self._rising:
            self._turn = min(self._turn, level)
            if level >= self._turn + FLASH:
                self._rising, self._turn = True, level
                self._times.append(now)
        else:
            self._turn = max(self._turn, level)
            if level <= self._turn - FLASH:
                self._rising, self._turn = False, level
