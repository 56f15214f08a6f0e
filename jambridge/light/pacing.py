"""When the next frame leaves for one strip. Pure.

Frames leave on multiples of 1/`fps`, no closer than the strip can show them; one that must leave early (an attack)
does so as soon as the strip can take it, and those after it slip back onto the grid. Nothing is ever queued.
"""

import math
from dataclasses import dataclass

from jambridge.units import LocalSeconds

_SAME_TICK = 0.01  # a frame sent this share of a period before its tick was meant for it
_EARLY = 0.93  # of a period: as close as two frames may be; 15.5 ms at 60 fps, for a show takes WLED 15


@dataclass(frozen=True, slots=True)
class Pace:
    """How often one strip is sent a frame.

    Args:
        interval_s: the strip needs this long to show one.
        fps: frames a second while anything sounds.
        keepalive_s: seconds between two frames in silence.
    """

    interval_s: float
    fps: float
    keepalive_s: float

    def due(self, sent_at: LocalSeconds, *, sounding: bool, urgent: bool) -> LocalSeconds:
        """When the frame after the one of `sent_at` may leave; the past means at once."""
        soonest = sent_at + max(self.interval_s, _EARLY / self.fps)
        if urgent or math.isinf(sent_at):
            return LocalSeconds(soonest)
        if not sounding:
            return LocalSeconds(sent_at + self.keepalive_s)
        tick = math.floor(sent_at * self.fps + _SAME_TICK) + 1
        return LocalSeconds(max(tick / self.fps, soonest))
