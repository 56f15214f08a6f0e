"""Which pixels belong to which note: equal contiguous stretches along the strip. Pure.

Pixels are counted along the strip; a matrix is addressed row by row from the top left, which is the order that WLED's
ledmaps expect of realtime data.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from jambridge.light.colour import Colours

FEWEST_PIXELS = 4
"""A stretch shorter than this is no longer seen as one colour."""


def room(pixels: int) -> int:
    """How many notes a strip can show at once; at least one."""
    return max(1, pixels // FEWEST_PIXELS)


def paint(colours: Colours, pixels: int) -> Colours:
    """Spread `colours`, shape (notes, 3), over (pixels, 3) in order; stretches differ by a pixel at most.

    No colours give black.
    """
    if not len(colours):
        return np.zeros((pixels, 3), np.float32)
    return colours.take(_places(len(colours), pixels), axis=0, mode="clip")  # a third of the time of indexing


@lru_cache(maxsize=64)
def _places(count: int, pixels: int) -> NDArray[np.intp]:
    """Which of `count` stretches each pixel is in."""
    places: NDArray[np.intp] = np.arange(pixels) * count // pixels
    places.setflags(write=False)
    return places
