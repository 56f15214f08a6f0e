"""When the next frame leaves for one strip. Pure.

Each frame stands for one tick, a multiple of 1/`fps` of room time, and leaves on it. One that must leave early (a key
that was struck over MIDI) takes the next tick's place, as soon as the strip can take it and at most one tick ahead: so
there are never more than `fps` frames a second. Strips of one rate have the same ticks. Nothing is ever queued.
"""

import math
from dataclasses import dataclass

from jambridge.units import LocalSeconds

_SAME_TICK = 0.01  # a frame sent this share of a period before its tick was meant for it
# Of a period, as close as two frames may be: 15.5 ms at 60 fps, where a show takes WLED 15, and still 3 % longer than a
# long output is busy where `wled.fps` leaves it a tenth.
_EARLY = 0.93


@dataclass(frozen=True, slots=True)
class Pace:
    """How often one strip is sent a frame.

    Args:
        fps: frames a second while anything sounds: at most what the strip can show.
        keepalive_s: seconds between two frames in silence.
        phase_s: room time is that much ahead of ours, whole ticks apart.
    """

    fps: float
    keepalive_s: float
    phase_s: float = 0.0

    def tick(self, now: LocalSeconds, before: int) -> int:
        """The tick that a frame leaving now stands for; `before` is that of the frame before."""
        return max(before + 1, math.floor((now + self.phase_s) * self.fps + _SAME_TICK))

    def due(self, sent_at: LocalSeconds, tick: int, *, sounding: bool, urgent: bool) -> LocalSeconds:
        """When the frame after the one of `sent_at`, which stood for `tick`, may leave; the past means at once."""
        soonest = sent_at + _EARLY / self.fps
        if math.isinf(sent_at):
            return LocalSeconds(soonest)
        if urgent:
            return LocalSeconds(max(soonest, self._at(tick)))
        if not sounding:
            return LocalSeconds(sent_at + self.keepalive_s)
        return LocalSeconds(max(soonest, self._at(tick + 1)))

    def _at(self, tick: int) -> float:
        return tick / self.fps - self.phase_s
