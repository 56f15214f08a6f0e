"""The tempo and transport of a clock that comes in. Pure: time is a parameter.

The moments of the last two beats' clocks on a line, by least squares: a driver delivers them in its own periods, and a
single interval says little.
"""

from collections import deque
from collections.abc import Sequence

from jambridge.midi import message as midi
from jambridge.midi.control import Followed
from jambridge.midi.ticks import PER_BEAT
from jambridge.room.state import TEMPO_BPM
from jambridge.sync.beat import MINUTE_S
from jambridge.units import LocalSeconds

GONE_S = 0.5  # without a clock: 24 a beat at 40 beats a minute are 62 ms apart
LEAST_S = 0.1  # between two that are told: ten a second
_LEAST_CHANGE_BPM = 0.3
_ODD_S = 0.025  # off the line: another tempo, and not the longest period of a driver
_ODD_IN_A_ROW = 3
_SHORTEST_S = 1e-6


class ClockFollower:
    """One clock: of several inputs, the one that began first."""

    def __init__(self) -> None:
        self._source: int | None = None
        self._moments: deque[LocalSeconds] = deque(maxlen=2 * PER_BEAT + 1)
        self._told_bpm = 0.0
        self._told_at = LocalSeconds(0.0)
        self._odd = 0

    def take(self, source: int, message: bytes, at: LocalSeconds) -> Followed | None:
        """What is new after this message, if anything."""
        if self._moments and at - self._moments[-1] > GONE_S:
            self._moments.clear()
            self._source = None
        if self._source not in (None, source):
            return None
        match message[0]:
            case midi.CLOCK:
                self._source = source
                return self._tick(at)
            case midi.START | midi.CONTINUE:
                return Followed(is_playing=True)
            case midi.STOP:
                return Followed(is_playing=False)
        return None

    def _tick(self, at: LocalSeconds) -> Followed | None:
        moments = self._moments
        is_odd = len(moments) > PER_BEAT // 2 and abs(at - _line(moments)[1]) > _ODD_S
        self._odd = self._odd + 1 if is_odd else 0
        moments.append(at)
        if self._odd >= _ODD_IN_A_ROW:
            kept = tuple(moments)[-_ODD_IN_A_ROW - 1 :]
            moments.clear()
            moments.extend(kept)
            self._odd = 0
        if len(moments) <= PER_BEAT or at - self._told_at < LEAST_S:
            return None
        bpm = round(MINUTE_S / (_line(moments)[0] * PER_BEAT), 1)
        if abs(bpm - self._told_bpm) < _LEAST_CHANGE_BPM or not TEMPO_BPM[0] <= bpm <= TEMPO_BPM[1]:
            return None
        self._told_bpm, self._told_at = bpm, at
        return Followed(tempo=bpm)


def _line(moments: Sequence[LocalSeconds]) -> tuple[float, float]:
    """Seconds a clock, and when the next one is to be expected."""
    count = len(moments)
    middle, mean = (count - 1) / 2, moments[0] + sum(at - moments[0] for at in moments) / count
    spread = sum((index - middle) ** 2 for index in range(count))
    slope = max(sum((index - middle) * (at - mean) for index, at in enumerate(moments)) / spread, _SHORTEST_S)
    return slope, mean + slope * (count - middle)
