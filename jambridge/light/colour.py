"""Colours of notes, and what a strip is sent for them. Pure.

A colour is float32 0..1 per channel as the eye counts it; the light of an LED is its 2.2nd power.

All hues are equally light, so that a change of note is no flash: at full value plain HSV goes from 7 % of the maximum
(blue) to 93 % (yellow), and ragtime in it reached five flashes a second. Blues are paler for it and yellows darker;
no red is a saturated one in the sense of WCAG 2.2, whose changes are flashes by themselves. Hues are HSV's.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jambridge.units import MidiNote

ColorMode = Literal["chromatic", "harmonic"]
Colours = NDArray[np.float32]

GAMMA = 2.2
_FIFTH = 7  # semitones; also its own inverse modulo 12
# Below this, 8 bits behind a gamma of 2.2 no longer hold a hue: green, the darkest, has 6 of 255 steps left.
FAINTEST = 0.35
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Of light: WCAG 2.2 "relative luminance"."""
LIGHTNESS = 0.18
"""Relative luminance of every hue at full value: as much as leaves blue saturated (0.62) and red bright."""
WHITE = LIGHTNESS ** (1 / GAMMA)
"""As light as a note at full value, for what has no hue."""
_REDDEST = 0.77  # R/(R+G+B) of light: a saturated red begins at 0.8


def hue_deg(note: MidiNote, mode: ColorMode) -> int:
    """30° a semitone, or 30° a step on the circle of fifths; C is 0°."""
    return 30 * (note * (1 if mode == "chromatic" else _FIFTH) % 12)


def note_colour(note: MidiNote, velocity: float, mode: ColorMode) -> Colours:
    """Shape (3,): the note's hue, as bright as it is loud (0..1)."""
    value = min(max(velocity, FAINTEST), 1.0)
    colour: Colours = _HUES[hue_deg(note, mode) // 30] * np.float32(value)
    return colour


def hue_colour(hue: float) -> Colours:
    """Shape (3,): any hue in degrees, at full value."""
    colour: Colours = _CIRCLE[round(hue) % 360]
    return colour


def hue_colours(hues_deg: NDArray[np.floating]) -> Colours:
    """Shape (hues, 3), as `hue_colour`."""
    colours: Colours = _CIRCLE[np.rint(hues_deg).astype(np.intp) % 360]
    return colours


def encode(colours: Colours, gamma: float) -> NDArray[np.uint8]:
    """Bytes for the wire, shape (pixels, 3); what is not finite is dark.

    Args:
        colours: shape (pixels, 3), 0..1; what lies outside is cut.
        gamma: 2.2 where the strip leaves it to the sender, else 1.
    """
    if not (float(colours.min(initial=0.0)) >= 0.0 and float(colours.max(initial=0.0)) <= 1.0):
        colours = np.clip(np.nan_to_num(colours, nan=0.0, posinf=0.0, neginf=0.0), 0.0, 1.0)
    light = colours if gamma == 1.0 else np.power(colours, np.float32(gamma))
    return np.rint(light * np.float32(255)).astype(np.uint8)


def with_white(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shape (pixels, 4) of (pixels, 3), for strips with white LEDs: these take over what the three share."""
    white = frame.min(axis=1, keepdims=True)
    return np.concatenate([frame - white, white], axis=1)


def _saturated(hue: int) -> Colours:
    """HSV with full saturation and value; channel distance as in A. R. Smith, "Color Gamut Transform Pairs" (1978)."""
    sector = (hue / 60 + np.array([0, 4, 2])) % 6
    colour: Colours = np.clip(np.abs(sector - 3) - 1, 0, 1).astype(np.float32)
    return colour


def _as_light_as_all(hue: int) -> Colours:
    """The most saturated colour of this hue that reaches LIGHTNESS and is no saturated red."""
    saturations = np.linspace(1, 0, 201)[:, np.newaxis]
    light = (1 - saturations * (1 - _saturated(hue))) ** GAMMA
    luminances = light @ LUMINANCE
    fits = (luminances >= LIGHTNESS) & (light[:, 0] <= _REDDEST * light.sum(axis=1))
    best = int(np.argmax(fits))
    colour: Colours = ((light[best] * (LIGHTNESS / luminances[best])) ** (1 / GAMMA)).astype(np.float32)
    return colour


_CIRCLE = np.stack([_as_light_as_all(hue) for hue in range(360)])
_CIRCLE.setflags(write=False)
_HUES = _CIRCLE[::30]
