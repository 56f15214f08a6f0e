"""What a WLED shows to be told from others, and to be looked at for mistakes. Pure.

A pattern gives shape (pixels, 3), 0..1, `elapsed_s` after its beginning, and None from its end on.
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from jambridge.errors import WireError
from jambridge.light.colour import Colours

PatternName = Literal["identify", "test"]
Pattern = Callable[[float, int], Colours | None]

IDENTIFY_S = 6.0
_SWELL_S = 1.5  # slower than a flash
_SOLID_S = 1.0
_RUN_S = 4.0
_SOLIDS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], np.float32)
_DIM = 0.3
TEST_S = len(_SOLIDS) * _SOLID_S + _RUN_S


def identify(elapsed_s: float, pixels: int) -> Colours | None:
    """White that swells and fades; the first pixel is green, the last one red."""
    if elapsed_s >= IDENTIFY_S:
        return None
    level = _DIM + (1 - _DIM) * (1 - math.cos(2 * math.pi * elapsed_s / _SWELL_S)) / 2
    colours = np.full((pixels, 3), level, np.float32)
    colours[-1] = (1, 0, 0)
    colours[0] = (0, 1, 0)
    return colours


def test(elapsed_s: float, pixels: int) -> Colours | None:
    """All red, all green, all blue, all white, a second each; then a light runs from the first pixel to the last."""
    if elapsed_s >= TEST_S:
        return None
    step = int(elapsed_s / _SOLID_S)
    if step < len(_SOLIDS):
        return np.tile(_SOLIDS[step], (pixels, 1))
    colours = np.zeros((pixels, 3), np.float32)
    colours[int((elapsed_s - len(_SOLIDS) * _SOLID_S) / _RUN_S * pixels)] = 1
    return colours


PATTERNS: Mapping[PatternName, Pattern] = {"identify": identify, "test": test}
LASTS_S: Mapping[PatternName, float] = {"identify": IDENTIFY_S, "test": TEST_S}


def named(name: object) -> PatternName:
    """Raises WireError if there is none of this name."""
    for known in PATTERNS:
        if known == name:
            return known
    raise WireError(f"pattern is one of {', '.join(PATTERNS)}")
