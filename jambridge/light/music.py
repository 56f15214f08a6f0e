"""What the room says of the music: its key, scale and beat. Pure."""

import math
from dataclasses import dataclass

from jambridge.light.colour import ColorMode
from jambridge.units import LocalSeconds

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "pentatonic": (0, 2, 4, 7, 9),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
}
_ANY = tuple(range(12))
BAR_BEATS = 4


@dataclass(frozen=True, slots=True)
class Music:
    """`beat_at` is when a beat fell, the first of a bar; None while the room does not play."""

    color_mode: ColorMode = "chromatic"
    key: str = "C"
    scale: str = "major"
    tempo: float = 120.0
    beat_at: LocalSeconds | None = None

    @property
    def beat_s(self) -> float:
        return 60.0 / self.tempo

    def beats(self, now: LocalSeconds) -> float | None:
        """Since the first one; None while the room does not play."""
        return None if self.beat_at is None else max(0.0, (now - self.beat_at) / self.beat_s)

    @property
    def tonic(self) -> int:
        """Pitch class of the key; C where it is none."""
        natural = _NATURALS.get(self.key[:1], 0)
        return (natural + self.key[1:].count("#") - self.key[1:].count("b")) % 12

    @property
    def pitch_classes(self) -> frozenset[int]:
        """Of the key's scale; all of them for a scale that we do not know."""
        name = " ".join(self.scale.lower().replace("-", " ").replace("_", " ").split())
        return frozenset((self.tonic + step) % 12 for step in _SCALES.get(name, _ANY))

    def hue(self, pitch_class: float) -> float:
        """Degrees: its place on the circle of fifths, the key's tonic being 0."""
        return 30.0 * ((pitch_class - self.tonic) * 7 % 12)


def mean_hue(hues_deg: list[float], weights: list[float]) -> float:
    """The direction of the mean on the circle; 0 where they cancel."""
    east = sum(weight * math.cos(math.radians(hue)) for hue, weight in zip(hues_deg, weights, strict=True))
    north = sum(weight * math.sin(math.radians(hue)) for hue, weight in zip(hues_deg, weights, strict=True))
    return math.degrees(math.atan2(north, east)) % 360
