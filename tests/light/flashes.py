"""An observer of flashes that knows nothing of the limiter: it is shown the light of what a strip was sent.

WCAG 2.2, success criterion 2.3.1: a general flash is a pair of opposing changes of relative luminance by a tenth of
the maximum, the darker below 0.80; a red flash one of (R - G - B) * 320 by 20 where either state has
R/(R+G+B) >= 0.8 (WCAG 2.1). Counted are changes, of which two are a flash.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

AREA = 0.25  # of the pixels

Frames = NDArray[np.float64]
"""Shape (frames, pixels, 3), light, 0..1."""
Crossings = NDArray[np.bool_]


def most_in_a_second(frames: Frames, times: Sequence[float]) -> int:
    """The flashes of the worst second: of the mean, of a quarter of the pixels, and of what each pixel does itself."""
    luminance = frames @ [0.2126, 0.7152, 0.0722]
    general = _changes(luminance, 0.1, np.minimum(luminance, 0.9) == luminance, darker_below=0.8)
    red, rest = frames[..., 0], frames[..., 1] + frames[..., 2]
    is_saturated = (red >= 0.8 * (red + rest)) & (red > 0)
    reddish = _changes(np.maximum(red - rest, 0), 20 / 320, is_saturated, saturated_only=True)
    mean = luminance.mean(axis=1, keepdims=True)
    of_mean = _changes(mean, 0.1, mean < 2, darker_below=0.8)
    worst = _most(of_mean[:, 0], times)
    for changes in (general, reddish):
        ups = np.cumsum(changes, axis=0) % 2 == 1
        area = (changes & ups).mean(axis=1) >= AREA
        worst = max(worst, _most(area, times, of_flash=1), _most_of_a_quarter(changes, times))
    return worst


def _changes(
    levels: NDArray[np.float64],
    least: float,
    saturated: Crossings,
    *,
    darker_below: float = 2.0,
    saturated_only: bool = False,
) -> Crossings:
    """Shape (frames, pixels): where a level has moved by `least` from its last peak or valley, against the move before.

    A pixel is dark at first, so that its first change is a rise.
    """
    found = np.zeros(levels.shape, bool)
    pixels = levels.shape[1]
    extreme, up = np.zeros(pixels), np.zeros(pixels, bool)
    was_saturated = np.zeros(pixels, bool)
    for index, level in enumerate(levels):
        turned = np.where(up, extreme - level >= least, (level - extreme >= least) & (extreme < darker_below))
        if darker_below < 1:
            turned &= np.where(up, level < darker_below, True)
        if saturated_only:
            turned &= was_saturated | saturated[index]
        further = np.where(up, level >= extreme, level <= extreme)
        was_saturated = np.where(turned | further, saturated[index], was_saturated)
        extreme = np.where(turned | further, level, extreme)
        up ^= turned
        found[index] = turned
    return found


def _most(changes: Crossings, times: Sequence[float], of_flash: int = 2) -> int:
    moments = np.asarray(times)[changes]
    ends = np.searchsorted(moments, moments + 0.999)
    return int((ends - np.arange(len(moments))).max(initial=0)) // of_flash


def _most_of_a_quarter(changes: Crossings, times: Sequence[float]) -> int:
    """As many flashes as at least a quarter of the pixels each have in one second."""
    at = np.asarray(times)
    totals = np.concatenate([np.zeros((1, changes.shape[1]), int), np.cumsum(changes, axis=0)])
    ends = np.searchsorted(at, at + 0.999)
    in_window = (totals[ends] - totals[:-1]) // 2
    ordered = np.sort(in_window, axis=1)[:, ::-1]
    quarter = math.ceil(AREA * changes.shape[1])
    return int(ordered[:, quarter - 1].max(initial=0))
