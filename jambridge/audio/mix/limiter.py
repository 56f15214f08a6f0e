"""The last thing before the loudspeaker: nothing leaves above the ceiling, and what stays below it is untouched. Pure.

The gain falls within the very sample that needs it, so there is no look-ahead and no delay: only the first rise of a
loud sound is cut flat, for a quarter of its period. The gain then holds while the sound keeps coming back to the
ceiling, which leaves a steady tone undistorted, and afterwards recovers by a constant number of dB a second.
"""

import numpy as np
from numpy.typing import NDArray

from jambridge.units import SAMPLE_RATE_HZ

Block = NDArray[np.float32]

CEILING = 10 ** (-0.3 / 20)
HOLD_S = 0.02  # half a period at 25 Hz, the lowest tone whose gain stays still
RELEASE_DB_PER_S = 50.0  # 10 dB in 200 ms
PRESSING = 10 ** (0.5 / 20)  # a peak within 0.5 dB of the ceiling makes the gain hold


class Limiter:
    """Of blocks of stereo, at most `most_frames` long; both channels get the same gain."""

    def __init__(self, most_frames: int) -> None:
        self.gain = 1.0
        """At the end of the last block; 1 when nothing is held down."""
        per_frame = 10 ** (RELEASE_DB_PER_S / 20 / SAMPLE_RATE_HZ)
        self._rise = per_frame ** np.arange(1, most_frames + 1)
        self._needed = np.empty(most_frames)
        self._held_frames = 0

    def limit(self, block: Block, sizes: Block, peak: float) -> float:
        """Bring `block`, shape (frames, 2), under the ceiling in place.

        Args:
            block: finite, of any loudness.
            sizes: its magnitudes, same shape.
            peak: the largest of them.

        Returns:
            A bound on what `block` holds now; `peak` itself if nothing was done.
        """
        if self.gain == 1.0 and peak <= CEILING:
            return peak
        gains = self._gains(sizes, peak)
        np.multiply(block, gains[:, np.newaxis], out=block)
        self.gain = float(gains[-1])
        return min(peak * float(gains.max()), CEILING)

    def _gains(self, sizes: Block, peak: float) -> NDArray[np.float64]:
        """For each frame the smaller of what it needs and what the recovery since earlier frames allows.

        The recovery multiplies by a constant a frame, so that the gain of frame n is the minimum over all k <= n of
        needed[k] * rise**(n - k): a running minimum once that constant is divided out.
        """
        frames = len(sizes)
        needed, rise = self._needed[:frames], self._rise[:frames]
        np.maximum(sizes[:, 0], sizes[:, 1], out=needed)
        np.maximum(needed, CEILING, out=needed)
        np.divide(CEILING, needed, out=needed)
        if self._holds(peak, frames):
            needed[0] = min(needed[0], self.gain)
            return np.minimum.accumulate(needed, out=needed)
        eased = needed / rise
        eased[0] = min(eased[0], self.gain)
        np.minimum.accumulate(eased, out=eased)
        eased *= rise
        return np.minimum(eased, needed, out=needed)

    def _holds(self, peak: float, frames: int) -> bool:
        """Whether the gain stays where it is in this block."""
        if peak * self.gain * PRESSING >= CEILING:
            self._held_frames = 0
            return True
        self._held_frames += frames
        return self._held_frames <= HOLD_S * SAMPLE_RATE_HZ
