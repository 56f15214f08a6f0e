"""The last of the chain: nothing flashes more than three times in any second, no strip and not all together. Pure.

Source: WCAG 2.2, success criterion 2.3.1, "general flash and red flash thresholds". A general flash is a pair of
opposing changes of relative luminance of a tenth of the maximum, the darker image below 0.80; a red flash is one that
involves a saturated red, R/(R+G+B) >= 0.8, by a change of R - G - B as in WCAG 2.1. A third signal, our own, is the
light of the brightest channel: WCAG sees no flash in a blue strobe. Of each pair the rising half is counted.

A strip flashes where its mean does, and where a quarter of its pixels do at once (WCAG's area): halves that take turns
keep their mean. And less than a quarter of its pixels may each flash too often by themselves, as in a random twinkle.
What is judged are the bytes that will be sent.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jambridge.light.colour import GAMMA, LUMINANCE
from jambridge.units import LocalSeconds

MOST_FLASHES_PER_S = 3.0
AREA = 0.25  # of the pixels
_BUDGET = int(MOST_FLASHES_PER_S)
_SLACK_S = 1e-6  # of float subtraction
_AT_ONCE_S = 0.02  # strips that change in one tick do so in turn
# Of luminance, redness and the brightest channel: above _MOST nothing is told apart; a change of _LEAST counts, a
# little less than the definition's for float arithmetic; and by _HELD it may rise where no flash is left.
_MOST = np.array([[0.9], [1.0], [0.25]], np.float32)
_LEAST = np.array([[0.09999], [0.06249], [0.19999]], np.float32)
_HELD = np.array([[0.08], [0.045], [0.19]], np.float32)
_LESS, _MORE = 0.95, 1.15  # of _LEAST: an observer with another gamma may see a slow rise of the mean as late as this
_SATURATED = 3.999  # red light over green and blue: R/(R+G+B) of 0.8, less what float arithmetic may lose
_TRIES = 8
_ROUNDING = 0.98  # a held frame is as much darker than it had to be
_SIGNALS = len(_LEAST)
_NEVER = -math.inf
_RED = 1
_NONE = (0,) * _SIGNALS
_OF_RED, _OF_GREEN, _OF_BLUE = LUMINANCE.tolist()
_LIGHTEST = float(_MOST[0, 0])
_FAINTEST = np.float32(1e-9)
_TINY = 1e-12

Frame = NDArray[np.uint8]
Signals = NDArray[np.float32]
"""Shape (3, pixels): luminance, redness, brightest channel."""


@dataclass(frozen=True, slots=True)
class _Allowance:
    """`budget` flashes since `since`."""

    since: float
    budget: int

    def is_spent(self, dates: Sequence[float]) -> bool:
        """`dates` rise."""
        return len(dates) >= self.budget and dates[-self.budget] > self.since


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A frame as it is seen."""

    signals: Signals
    is_red: NDArray[np.bool_]
    """Of each pixel: whether it is a saturated red, to or from which a change of redness can be a flash."""
    sums: list[float]
    """Over all pixels: of the brightest channels, and of red, green and blue light."""


class FlashLimiter:
    """Follows all strips. A rise too many is held near the level before it; hues are kept, falls are free."""

    def __init__(self, flashes_per_s: float = MOST_FLASHES_PER_S) -> None:
        self._strips: dict[str, _Strip] = {}
        self._together = _Flashes()
        self.set_rate(flashes_per_s)

    def set_rate(self, flashes_per_s: float) -> None:
        """Whatever is asked for, more than three a second are never allowed; below one they are spread."""
        rate = min(max(flashes_per_s, 0.1), MOST_FLASHES_PER_S)
        self._budget = int(max(rate, 1.0))
        self._window_s = max(1.0, 1.0 / rate)

    def limit(self, frame: Frame, now: LocalSeconds, strip: str = "", gamma: float = GAMMA) -> Frame:
        """What to send at `now` instead of `frame`: itself, or a darker one.

        Args:
            frame: shape (pixels, 3), to be sent.
            now: never falls.
            strip: which; one not seen before was dark.
            gamma: what the sender has applied, 2.2 or less; the strip applies the rest.
        """
        former = self._strips.get(strip)
        if former is None or former.size != len(frame):
            self._strips[strip] = _Strip(len(frame), former.flashes if former else _Flashes())
        shown, share = frame, 1.0
        for _ in range(_TRIES):  # rounding may make a red a saturated one, and more than one signal may be too high
            look = _look(shown, gamma)
            scale = self._scale(strip, look, now)
            if scale >= 1.0:
                break
            share *= scale * _ROUNDING
            shown = np.rint(frame * np.float32(share ** (gamma / GAMMA))).astype(np.uint8)
        else:
            shown = np.zeros_like(frame)
            look = _look(shown, gamma)
        self._follow(strip, look, now)
        return shown

    def darken(self, strip: str, now: LocalSeconds) -> None:
        """It is no longer ours to light."""
        if strip in self._strips:
            self._follow(strip, _look(np.zeros((self._strips[strip].size, 3), np.uint8), GAMMA), now)

    def _allowance(self, now: LocalSeconds) -> _Allowance:
        return _Allowance(now - self._window_s + _SLACK_S, self._budget)

    def _scale(self, name: str, wanted: _Look, now: LocalSeconds) -> float:
        strip, others, allowance = self._strips[name], self._others(name), self._allowance(now)
        scale = 1.0
        if strip.has_spent_pixels(allowance):
            scale = strip.scale_of_pixels(wanted, allowance)
        if strip.flashes.is_spent(allowance):
            scale = min(scale, strip.flashes.scale(wanted, strip, (), allowance, now))
        if others and self._together.is_spent(allowance):
            scale = min(scale, self._together.scale(wanted, strip, others, allowance, now))
        return scale

    def _follow(self, name: str, look: _Look, now: LocalSeconds) -> None:
        strip = self._strips[name]
        strip.follow(look, self._allowance(now), now)
        strip.flashes.follow((strip,), now)
        self._together.follow((strip, *self._others(name)), now)

    def _others(self, name: str) -> "tuple[_Strip, ...]":
        return tuple(strip for other, strip in self._strips.items() if other != name)


class _Strip:
    """The pixels of one strip, each with its rises. `flashes` are those of the whole."""

    def __init__(self, size: int, flashes: "_Flashes") -> None:
        self.size = size
        self.flashes = flashes
        self.shown = _look(np.zeros((size, 3), np.uint8), GAMMA)
        self.begun_at = _NEVER
        self._begun: Sequence[int] = _NONE
        self._way = np.full((_SIGNALS, size), -1, np.float32)  # 1 while rising
        # The last valley, while rising the highest since; times `way`, so that it is what is never undercut.
        self._turn = np.zeros((_SIGNALS, size), np.float32)
        self._turned_red = np.zeros(size, bool)  # a saturated one
        self._dates = np.full((_BUDGET, _SIGNALS, size), _NEVER)  # of each pixel's newest rises, oldest first
        self._newest = [_NEVER] * _BUDGET  # of all pixels'
        self._too_many_at = np.full(size, _NEVER)

    def begun(self, now: LocalSeconds) -> Sequence[int]:
        """How many pixels have just begun to rise, for each signal."""
        return self._begun if now - self.begun_at < _AT_ONCE_S else _NONE

    def has_spent_pixels(self, allowance: _Allowance) -> bool:
        return self._newest[-allowance.budget] > allowance.since

    def scale_of_pixels(self, wanted: _Look, allowance: _Allowance) -> float:
        """0..1: so bright, of `wanted`, that only few pixels flash too often by themselves."""
        ceiling, rises = self._ceiling(wanted)
        rises &= self._dates[-allowance.budget] > allowance.since
        few = _fewer_than_area(self.size) - int((self._too_many_at > allowance.since).sum())
        if np.count_nonzero(rises.any(axis=0)) <= few:
            return 1.0
        return _all_but(few, _room(wanted, ceiling, rises).min(axis=0))

    def room(self, wanted: _Look) -> Signals:
        """By how much each pixel may change, each signal by itself, without a rise."""
        return _room(wanted, *self._ceiling(wanted))

    def _ceiling(self, wanted: _Look) -> tuple[Signals, NDArray[np.bool_]]:
        """As high as each may be without a rise, and which would be higher."""
        ceiling = self._turn * self._way + _HELD
        rises = wanted.signals > ceiling
        rises &= self._way < 0
        rises[_RED] &= wanted.is_red | self._turned_red
        return ceiling, rises

    def follow(self, look: _Look, allowance: _Allowance, now: LocalSeconds) -> None:
        self.shown = look
        shown = look.signals * self._way
        extreme = np.maximum(self._turn, shown)
        moved = extreme - shown >= _LEAST
        may_be_red = look.is_red | self._turned_red
        moved[_RED] &= may_be_red
        if may_be_red.any():
            is_turn = moved[_RED] | (shown[_RED] == extreme[_RED])
            np.copyto(self._turned_red, look.is_red, where=is_turn)
        self._turn = extreme
        if moved.any():
            self._turn_round(moved, allowance, now)

    def _turn_round(self, moved: NDArray[np.bool_], allowance: _Allowance, now: LocalSeconds) -> None:
        """Where it has moved against its way: what is shown is the new extreme."""
        begun = moved & (self._way < 0)
        np.negative(self._way, out=self._way, where=moved)
        np.copyto(self._turn, self.shown.signals * self._way, where=moved)
        if not begun.any():
            return
        self._begun, self.begun_at = begun.sum(axis=1).tolist(), now
        too_many = begun & (self._dates[-allowance.budget] > allowance.since)
        self._too_many_at[too_many.any(axis=0)] = now
        for older, newer in zip(self._dates[:-1], self._dates[1:], strict=True):
            np.copyto(older, newer, where=begun)
        np.copyto(self._dates[-1], now, where=begun)
        self._newest = self._dates.max(axis=(1, 2), initial=_NEVER).tolist()


class _Flashes:
    """Those of what is seen at once: of its mean, and of a part of its area."""

    def __init__(self) -> None:
        self._means = [_Rises(_LESS * least) for least in _LEAST[:, 0].tolist()]
        self._areas = [_dates() for _ in range(_SIGNALS)]

    def is_spent(self, allowance: _Allowance) -> bool:
        """Whether the next flash of some kind would be one too many."""
        return any(map(allowance.is_spent, (*(mean.dates for mean in self._means), *self._areas)))

    def scale(
        self, wanted: _Look, strip: _Strip, others: Sequence[_Strip], allowance: _Allowance, now: LocalSeconds
    ) -> float:
        """0..1: so bright, of `wanted`, may `strip` be beside the others as they are."""
        scale, room = 1.0, None
        size = strip.size + sum(other.size for other in others)
        beside = [other.shown.sums for other in others]
        levels, involved = _levels([*beside, wanted.sums], size)
        for signal, (mean, area) in enumerate(zip(self._means, self._areas, strict=True)):
            if allowance.is_spent(mean.dates):
                ceiling = mean.ceiling(float(_HELD[signal, 0]), involved=involved[signal])
                if levels[signal] > ceiling:
                    fixed, _ = _levels(beside, size)
                    scale = min(scale, max(0.0, (ceiling - fixed[signal]) / (levels[signal] - fixed[signal] + _TINY)))
            if allowance.is_spent(area):
                room = strip.room(wanted) if room is None else room
                begun = sum(other.begun(now)[signal] for other in others)
                scale = min(scale, _all_but(_fewer_than_area(size) - begun, room[signal]))
        return scale

    def follow(self, strips: Sequence[_Strip], now: LocalSeconds) -> None:
        """The first has just changed."""
        size, begins = sum(strip.size for strip in strips), strips[0].begun_at == now
        levels, involved = _levels([strip.shown.sums for strip in strips], size)
        for signal, (mean, area) in enumerate(zip(self._means, self._areas, strict=True)):
            mean.follow(levels[signal], now, involved=involved[signal])
            if begins and sum(strip.begun(now)[signal] for strip in strips) > _fewer_than_area(size):
                area.append(now)


class _Rises:
    """The rises of one signal by at least `least` after a fall by at least that.

    A change counts if the state before or after it is `involved`.
    """

    def __init__(self, least: float) -> None:
        self.dates = _dates()
        self._least = least
        self._rising = False
        self._level = 0.0
        self._foot = 0.0  # the lowest level before the rise, or yet
        self._top = 0.0  # the highest of the rise
        self._turn_involved = False

    def ceiling(self, held: float, *, involved: bool) -> float:
        """As high as it may be without another rise."""
        is_free = self._rising or not (involved or self._turn_involved)
        return math.inf if is_free else max(self._foot + held, self._level)

    def follow(self, level: float, now: LocalSeconds, *, involved: bool) -> None:
        self._level = level if involved else 0.0
        counts = involved or self._turn_involved
        if not self._rising:
            if level <= self._foot:
                self._foot, self._turn_involved = level, involved
            elif counts and level >= self._foot + self._least:
                self._rising, self._top, self._turn_involved = True, level, involved
                self.dates.append(now)
            return
        if counts and level <= self._top - self._least:
            self._rising, self._foot, self._turn_involved = False, level, involved
            return
        if self._top < self._foot + self._least * _MORE / _LESS:
            self.dates[-1] = now
        if level >= self._top:
            self._top, self._turn_involved = level, involved


def _dates() -> deque[LocalSeconds]:
    return deque(maxlen=_BUDGET)


def _fewer_than_area(size: int) -> int:
    return math.ceil(AREA * size) - 1


def _all_but(most: int, room: NDArray[np.float32]) -> float:
    """The scale, 0..1, at which at most so many pixels have less than their `room`."""
    fewest = max(0, most)
    return min(1.0, float(np.partition(room, fewest)[fewest])) if fewest < len(room) else 1.0


def _room(wanted: _Look, ceiling: Signals, rises: NDArray[np.bool_]) -> Signals:
    return np.where(rises, ceiling / np.maximum(wanted.signals, _FAINTEST), np.float32(np.inf))


def _levels(sums: Sequence[Sequence[float]], size: int) -> tuple[list[float], list[bool]]:
    """Each signal's level of the mean light, and whether a change to it can be one of that signal."""
    peak, red, green, blue = (sum(one) / size for one in zip(*sums, strict=True)) if sums else (0.0,) * 4
    luminance = _OF_RED * red + _OF_GREEN * green + _OF_BLUE * blue
    is_saturated = red > 0 and red >= _SATURATED * (green + blue)
    return [min(luminance, _LIGHTEST), max(0.0, red - green - blue), peak], [True, is_saturated, True]


def _look(frame: Frame, gamma: float) -> _Look:
    rows = np.empty((2 * _SIGNALS, len(frame)), np.float32)
    signals, light = rows[:_SIGNALS], rows[_SIGNALS:]
    _light(gamma).take(frame.T, out=light, mode="clip")  # all are within, and it is not checked
    red, green, blue = light
    others = green + blue
    np.matmul(LUMINANCE, light, out=signals[0])
    np.subtract(red, others, out=signals[_RED])
    np.maximum.reduce(light, axis=0, out=signals[2])
    np.minimum(signals, _MOST, out=signals)
    np.maximum(signals[_RED], 0, out=signals[_RED])  # the others are light
    sums = np.add.reduce(rows[_SIGNALS - 1 :], axis=1, dtype=np.float64).tolist()
    is_red = red >= _SATURATED * others
    is_red &= red > 0
    return _Look(signals, is_red, sums)


@cache
def _light(gamma: float) -> NDArray[np.float32]:
    """Of each byte, 0..1."""
    return ((np.arange(256) / 255) ** (GAMMA / gamma)).astype(np.float32)
