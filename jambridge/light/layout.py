"""Which pixels belong to which note: equal contiguous stretches along the strip. Pure.

Pixels are counted along the strip; a matrix is addressed row by row from the top left, which is the order that WLED's
ledmaps expect of realtime data.
"""

import numpy as np

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
    return colours[np.arange(pixels) * len(colours) // pixels]
