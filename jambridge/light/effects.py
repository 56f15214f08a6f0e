"""The effects, by name: each a picture of what was played, at one moment, as the room has it. Pure.

An effect keeps nothing: what it shows of the past it sees in the strokes. Attack and decay are in beats of the room.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from jambridge.light import scene, strokes
from jambridge.light.colour import FAINTEST, WHITE, ColorMode, Colours, hue_colour, hue_colours, hue_deg
from jambridge.light.music import BAR_BEATS, Music, mean_hue
from jambridge.notes.frame import Note
from jambridge.notes.stroke import Stroke
from jambridge.units import LocalSeconds, MidiNote, hz

EffectName = Literal["notes", "roll", "chord", "wash", "spectrum", "vu", "beat", "scroll"]
Octave = Literal["none", "brightness", "place"]

BANDS = 48
_LOWEST, _HIGHEST = 28, 100  # E1 to E7: what the roll has room for; beyond, its ends
_QUIETEST_DBFS = -48.0
FADE_BEATS = 2.0  # the longest, where a person does not say
SCROLL_BEATS = 8
_DECAY_BEATS = 0.5
_MOST_BEATS_PER_S = 2.0  # a pulse is a flash, and others may need the third
_GLOW = 0.45  # between beats


@dataclass(frozen=True, slots=True)
class Part:
    """What one player gives: strokes, the attack flash that is left, 0..1, and the level.

    `strokes` are in the order of their ends, those that sound last. `bands` are 0..1, low to high,
    where an effect in use shows them.
    """

    strokes: tuple[Stroke, ...] = ()
    flash: float = 0.0
    level_dbfs: float = -120.0
    bands: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Style:
    """How notes come and go, in beats (None: as the effect does), and what an octave looks like."""

    attack_beats: float | None = None
    decay_beats: float | None = None
    octave: Octave = "none"


PLAIN = Style()

Effect = Callable[[Sequence[Part], LocalSeconds, Music, Style, int], Colours]
"""Shape (pixels, 3), 0..1, of the players' parts at a moment."""


def _notes(parts: Sequence[Part], now: LocalSeconds, music: Music, style: Style, pixels: int) -> Colours:
    if style.octave == "place":
        return _roll(parts, now, music, Style(style.attack_beats, style.decay_beats or 0.0, "place"), pixels)
    lit = _lit(parts, now, music, style, decay_beats=0.0)
    merged = scene.merge([[Note(midi, hz(midi), level) for midi, level in lit]])
    return scene.draw(merged, _flash(parts), pixels, music.color_mode)


def _roll(parts: Sequence[Part], now: LocalSeconds, music: Music, style: Style, pixels: int) -> Colours:
    """Every note at its place: along the whole range, or for `octave: brightness` along one octave."""
    picture = np.zeros((pixels, 3), np.float32)
    is_folded = style.octave == "brightness"
    places = 12 if is_folded else _HIGHEST - _LOWEST + 1
    for midi, level in sorted(_lit(parts, now, music, style), key=lambda one: one[1]):
        place = midi % 12 if is_folded else min(max(midi, _LOWEST), _HIGHEST) - _LOWEST
        start = place * pixels // places
        stop = max((place + 1) * pixels // places, start + min(pixels, 2))
        picture[min(start, pixels - 1) : stop] = _colour(midi, level, music.color_mode)
    return _brightened(picture, parts)


def _chord(parts: Sequence[Part], now: LocalSeconds, music: Music, style: Style, pixels: int) -> Colours:
    """What sounds as one gradient, lowest to highest."""
    lit = dict(sorted(_lit(parts, now, music, style)))
    if not lit:
        return np.full((pixels, 3), WHITE * _flash(parts), np.float32)
    corners = np.stack([_colour(midi, level, music.color_mode) for midi, level in lit.items()])
    at = np.linspace(0, len(corners) - 1, pixels)
    channels = [np.interp(at, np.arange(len(corners)), channel) for channel in corners.T]
    return _brightened(np.stack(channels, axis=1).astype(np.float32), parts)


def _wash(parts: Sequence[Part], now: LocalSeconds, music: Music, style: Style, pixels: int) -> Colours:
    """One colour for the harmony: where it stands to the key on the circle of fifths; the paler the more is foreign."""
    lit = _lit(parts, now, music, style, decay_beats=FADE_BEATS)
    if not lit:
        return np.zeros((pixels, 3), np.float32)
    levels = [level for _, level in lit]
    hue = mean_hue([music.hue(midi % 12) for midi, _ in lit], levels)
    foreign = sum(level for midi, level in lit if midi % 12 not in music.pitch_classes) / sum(levels)
    colour = (1 - foreign) * hue_colour(hue) + foreign * np.float32(WHITE)
    return np.tile((colour * max(levels)).astype(np.float32), (pixels, 1))


def _spectrum(parts: Sequence[Part], _now: LocalSeconds, _music: Music, _style: Style, pixels: int) -> Colours:
    """Low to high along the zone, as bright as loud."""
    bands = [part.bands for part in parts if part.bands is not None]
    if not bands:
        return np.zeros((pixels, 3), np.float32)
    loudest = np.max(bands, axis=0)
    at = (np.arange(pixels) + 0.5) * len(loudest) / pixels - 0.5
    levels = np.interp(at, np.arange(len(loudest)), loudest)
    hues = hue_colours(np.linspace(0.0, 270.0, pixels))
    picture: Colours = (hues * levels[:, np.newaxis]).astype(np.float32)
    return picture


def _vu(parts: Sequence[Part], _now: LocalSeconds, _music: Music, _style: Style, pixels: int) -> Colours:
    """A bar a player, each in its own hue and its own share of the zone."""
    picture = np.zeros((pixels, 3), np.float32)
    for index, part in enumerate(parts):
        start, stop = index * pixels // len(parts), (index + 1) * pixels // len(parts)
        filled = min(max(1 - part.level_dbfs / _QUIETEST_DBFS, 0.0), 1.0) * (stop - start)
        cover = np.clip(filled - np.arange(stop - start), 0, 1)[:, np.newaxis]
        picture[start:stop] = hue_colour(120 + 360 * index / len(parts)) * cover
    return picture


def _beat(parts: Sequence[Part], now: LocalSeconds, music: Music, _style: Style, pixels: int) -> Colours:
    """A pulse on the room's beat, the first of a bar in the key's own hue; without it, on what is struck.

    A faster tempo is pulsed at half of it.
    """
    beats = music.beats(now)
    if beats is None:
        return np.tile(hue_colour(0) * np.float32(_GLOW + (1 - _GLOW) * _flash(parts)), (pixels, 1))
    every = 2 ** max(0, math.ceil(math.log2(music.tempo / 60 / _MOST_BEATS_PER_S)))
    is_first = int(beats) // every * every % BAR_BEATS == 0
    left = (1 - (beats / every) % 1) ** 2
    return np.tile(hue_colour(0 if is_first else 210) * np.float32(_GLOW + (1 - _GLOW) * left), (pixels, 1))


def _scroll(parts: Sequence[Part], now: LocalSeconds, music: Music, style: Style, pixels: int) -> Colours:
    """The last two bars: what sounds now is at the start, and moves on."""
    picture = np.zeros((pixels, 3), np.float32)
    length_s = SCROLL_BEATS * music.beat_s
    for part in parts:
        for stroke in part.strokes:
            newest = 0 if stroke.ended is None else max(0, int((now - stroke.ended) / length_s * pixels))
            oldest = math.ceil((now - stroke.began) / length_s * pixels)
            if newest < pixels:
                level = _octave_level(stroke.midi, max(stroke.velocity, FAINTEST), style)
                picture[newest : max(oldest, newest + 1)] = _colour(stroke.midi, level, music.color_mode)
    return picture * np.linspace(1, 0.4, pixels, dtype=np.float32)[:, np.newaxis]


EFFECTS: Mapping[EffectName, Effect] = MappingProxyType(
    {
        "notes": _notes,
        "roll": _roll,
        "chord": _chord,
        "wash": _wash,
        "spectrum": _spectrum,
        "vu": _vu,
        "beat": _beat,
        "scroll": _scroll,
    }
)


def _lit(
    parts: Sequence[Part], now: LocalSeconds, music: Music, style: Style, *, decay_beats: float = _DECAY_BEATS
) -> list[tuple[MidiNote, float]]:
    """Every note that is bright, as the brightest of its strokes is."""
    attack_s = (style.attack_beats or 0.0) * music.beat_s
    decay_s = (decay_beats if style.decay_beats is None else style.decay_beats) * music.beat_s
    levels: dict[MidiNote, float] = {}
    for part in parts:
        for stroke in reversed(part.strokes):
            if stroke.ended is not None and now - stroke.ended > decay_s:
                break  # all before it ended earlier
            level = _octave_level(stroke.midi, strokes.level(stroke, now, attack_s, decay_s), style)
            if level > 0:
                levels[stroke.midi] = max(level, levels.get(stroke.midi, 0.0))
    return list(levels.items())


def _octave_level(midi: MidiNote, level: float, style: Style) -> float:
    """Low octaves darker: half as bright in the lowest as in the highest."""
    if style.octave != "brightness":
        return level
    return level * (0.5 + 0.5 * min(max((midi - _LOWEST) / (_HIGHEST - _LOWEST), 0.0), 1.0))


def _colour(midi: MidiNote, level: float, mode: ColorMode) -> Colours:
    """As bright as `level`, down to nothing: unlike `note_colour`, for what fades."""
    colour: Colours = hue_colour(hue_deg(midi, mode)) * np.float32(level)
    return colour


def _flash(parts: Sequence[Part]) -> float:
    return max((part.flash for part in parts), default=0.0)


def _brightened(picture: Colours, parts: Sequence[Part]) -> Colours:
    """By an attack: what is lit, towards its full value."""
    left = _flash(parts)
    brightest = float(picture.max(initial=0.0))
    if not left:
        return picture
    if not brightest:
        return np.full(picture.shape, WHITE * left, np.float32)
    return picture * np.float32(1 + left * (max(WHITE / brightest, 1.0) - 1) / 2)
