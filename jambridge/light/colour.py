"""Colours of notes, and what a strip is sent for them. Pure.

A colour is float32 0..1 per channel as the eye counts it; the light of an LED is its 2.2nd power.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jambridge.units import MidiNote

ColorMode = Literal["chromatic", "harmonic"]
Colours = NDArray[np.float32]

GAMMA = 2.2
_FIFTH = 7  # semitones; also its own inverse modulo 12
# Below this, 8 bits behind a gamma of 2.2 no longer hold a hue (0.2 is 7 of 255 steps).
FAINTEST = 0.2


def hue_deg(note: MidiNote, mode: ColorMode) -> int:
    """30° a semitone, or 30° a step on the circle of fifths; C is 0°."""
    return 30 * (note * (1 if mode == "chromatic" else _FIFTH) % 12)


def note_colour(note: MidiNote, velocity: float, mode: ColorMode) -> Colours:
    """Shape (3,): the note's hue, fully saturated, as bright as it is loud (0..1)."""
    value = min(max(velocity, FAINTEST), 1.0)
    colour: Colours = _HUES[hue_deg(note, mode) // 30] * np.float32(value)
    return colour


def encode(colours: Colours, channels: int, gamma: float) -> NDArray[np.uint8]:
    """Bytes for the wire, shape (pixels, channels).

    Args:
        colours: shape (pixels, 3), 0..1.
        channels: 3 (RGB) or 4 (RGBW: white takes over what the three share).
        gamma: 2.2 where the strip leaves it to the sender, else 1.
    """
    light = colours if gamma == 1.0 else np.power(colours, np.float32(gamma))
    if channels == 4:  # noqa: PLR2004  RGBW
        white = light.min(axis=1, keepdims=True)
        light = np.concatenate([light - white, white], axis=1)
    return np.rint(light * np.float32(255)).astype(np.uint8)


def _saturated(hue: int) -> Colours:
    """HSV with full saturation and value; channel distance as in A. R. Smith, "Color Gamut Transform Pairs" (1978)."""
    sector = (hue / 60 + np.array([0, 4, 2])) % 6
    colour: Colours = np.clip(np.abs(sector - 3) - 1, 0, 1).astype(np.float32)
    return colour


_HUES = np.stack([_saturated(30 * step) for step in range(12)])
_HUES.setflags(write=False)
