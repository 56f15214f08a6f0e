"""A strip's frame as a screen shows it: few pixels, with a screen's gamma. Pure."""

import base64

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS = 120
_SCREEN_GAMMA = 2.2


def of(frame: NDArray[np.uint8] | None, gamma: float) -> str:
    """At most MOST_PIXELS colours in base64, three bytes each; empty for no frame.

    Args:
        frame: shape (pixels, 3 or 4), as it was sent.
        gamma: what was applied to it on its way to the strip; 1 where the strip does that itself.
    """
    if frame is None or not len(frame):
        return ""
    light = frame[:, :3].astype(np.float32)
    if frame.shape[1] > 3:  # noqa: PLR2004  white shines with every colour
        light += frame[:, 3:]
    starts = np.arange(min(len(frame), MOST_PIXELS)) * len(frame) // min(len(frame), MOST_PIXELS)
    lengths = np.diff(np.append(starts, len(frame)))
    seen = np.add.reduceat(light, starts, axis=0) / lengths[:, np.newaxis]
    if gamma > 1:
        seen = 255 * (np.minimum(seen, 255) / 255) ** (1 / min(gamma, _SCREEN_GAMMA))
    return base64.b64encode(np.rint(np.minimum(seen, 255)).astype(np.uint8).tobytes()).decode()
