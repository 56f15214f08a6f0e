"""Follows another card's clock: a resampler whose pace may change at every block, and who decides the pace. Pure.

Measured at +500 ppm: a signal to noise of 76 dB at 997 Hz and 62 at 16 kHz, the level kept within 0.01 dB up to 18 kHz,
12 us a block of 480 frames.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.opus import MOST_FRAMES

Stereo = NDArray[np.float32]
"""Shape (frames, 2), 48 kHz."""

TAPS = 16
LOOKAHEAD_FRAMES = TAPS // 2
"""What comes out is so much later than what goes in."""
MAX_DRIFT = 500e-6
"""Beyond what cards differ by."""
MAX_PACE = 1500e-6
"""How far from 1 a pace may be, towards less delay: 2.6 cents, and trained ears tell five. Towards more: MAX_DRIFT."""

_PHASES = 1024  # the nearest is taken
_BETA = 6.0  # of the Kaiser window: flat to 18 kHz, while nothing of Opus lies above 20
_PROPORTIONAL = 0.2  # of an error is worked off by pace in a second: 7.5 ms are as much as MAX_PACE takes
_FOLLOWED = 0.1  # a second, of how far packets are from where they were expected
_LEARNED = _FOLLOWED**2 / 4  # critically damped: no swinging around the other card's clock
_LEARNING_S = 0.005  # what is further from where it was expected has not drifted there


class Resampler:
    """Windowed sinc, continuous over blocks of any length and changes of pace."""

    def __init__(self) -> None:
        self._table = _sinc_table()
        self._sound = np.zeros((2, TAPS - 1 + MOST_FRAMES), np.float32)
        self._windows = np.lib.stride_tricks.sliding_window_view(self._sound, TAPS, axis=1)
        self._count = np.arange(MOST_FRAMES + 8, dtype=np.float64)
        self._position = 0.0  # where the next frame that comes out begins its window

    def resample(self, block: Stereo, pace: float) -> Stereo:
        """What `block` becomes when it is played at `pace` (1.0001: in 0.01 % less time).

        Raises:
            ValueError: `block` is longer than a packet can be, or `pace` further from 1 than `MAX_PACE`.
        """
        given = len(block)
        if given > MOST_FRAMES or abs(pace - 1) > MAX_PACE + 1e-9:
            raise ValueError(f"{given} frames at a pace of {pace}")
        self._sound[:, TAPS - 1 : TAPS - 1 + given] = block.T
        out = np.empty((max(0, math.ceil((given - self._position) / pace)), 2), np.float32)
        begin = 0
        while begin < len(out):
            begin += self._fill(out[begin:], self._position + begin * pace, pace - 1)
        self._position += len(out) * pace - given
        self._sound[:, : TAPS - 1] = self._sound[:, given : given + TAPS - 1]
        return out

    def _fill(self, out: Stereo, place: float, drift: float) -> int:
        """Interpolate from `place` on, for as long as one window follows another: nearly always to the end of `out`.

        Returns:
            How many frames are filled.
        """
        first = int(place)
        phase = place - first
        left = 1 - phase if drift > 0 else phase  # until the next window is not the neighbour
        frames = min(len(out), int(left / abs(drift)) + 1) if drift else len(out)
        phases = self._count[:frames] * (drift * _PHASES)
        phases += phase * _PHASES + 0.5
        rows = self._table.take(phases.astype(np.intp), axis=0)
        np.einsum("cft,ft->fc", self._windows[:, first : first + frames], rows, out=out[:frames])
        return frames


class Follower:
    """A controller of the pace: keeps an error, in seconds of sound too much that are waiting, at zero.

    The other's clock is learned from where its packets are, and not from the error, which changes with what is wanted
    as well: with each packet that is late, and again when that is forgotten.
    """

    def __init__(self) -> None:
        self.pace = 1.0
        self.drift = 0.0
        """How much faster than ours the other's clock is, as far as it is known; part of the pace."""
        self._expected_s = math.inf

    def learn(self, middle_s: float, passed_s: float) -> None:
        """Half of the packets need that offset (see `depth`) or less, `passed_s` after it was told last."""
        astray_s = self._expected_s - middle_s
        if abs(astray_s) < _LEARNING_S:
            self.drift = min(MAX_DRIFT, max(-MAX_DRIFT, self.drift + _LEARNED * astray_s * passed_s))
            self._expected_s -= (self.drift + _FOLLOWED * astray_s) * passed_s
        else:
            self._expected_s = middle_s

    def follow(self, error_s: float) -> float:
        """The pace from now on: towards less delay in seconds, towards more without haste."""
        self.pace = 1.0 + min(MAX_PACE, max(-MAX_DRIFT, self.drift + _PROPORTIONAL * error_s))
        return self.pace


@cache
def _sinc_table() -> NDArray[np.float32]:
    """Shape (phases + 1, taps): row p interpolates at p / phases behind the middle of the window."""
    shift = np.arange(_PHASES + 1)[:, np.newaxis] / _PHASES
    distance = np.arange(TAPS) - (LOOKAHEAD_FRAMES - 1) - shift
    inside = np.clip(1 - (distance / LOOKAHEAD_FRAMES) ** 2, 0, None)
    rows = np.sinc(distance) * np.i0(_BETA * np.sqrt(inside)) / np.i0(_BETA)
    table: NDArray[np.float32] = (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)
    return table


_sinc_table()  # it takes as long as a callback may
