"""Which pixels of which strip show which player, and how. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from jambridge.light.colour import Colours
from jambridge.light.effects import EffectName
from jambridge.light.wled import Controller

EVERYONE, SELF = "*", "self"


class Player(Protocol):
    """Who is shown."""

    @property
    def name(self) -> str: ...

    @property
    def instrument(self) -> str: ...

    @property
    def is_line_in(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Zone:
    """Pixels `start` to before `stop` (None: to the end) of the controller with this name, MAC or host."""

    player: str
    """A name, an instrument, `self` (what is played here) or `*`."""
    controller: str
    start: int = 0
    stop: int | None = None
    reverse: bool = False
    mirror: bool = False
    effect: EffectName | None = None
    """None: that of all."""

    def span(self, pixels: int) -> range:
        """What there is of it on a strip of that length."""
        stop = pixels if self.stop is None else min(self.stop, pixels)
        return range(min(self.start, stop), stop)

    def is_on(self, controller: Controller) -> bool:
        wanted = self.controller.casefold()
        return wanted in (controller.name.casefold(), controller.mac, controller.host.casefold()) or (
            wanted.replace(":", "").replace("-", "") == controller.mac
        )

    def shows(self, player: Player) -> bool:
        if self.player == EVERYONE:
            return True
        if self.player == SELF:
            return player.is_line_in
        return self.player.casefold() in (player.name.casefold(), player.instrument.casefold())


def on(controller: Controller, zones: Iterable[Zone]) -> tuple[Zone, ...]:
    """Its zones; where it has none, everybody shares all of it."""
    return tuple(zone for zone in zones if zone.is_on(controller)) or (Zone(EVERYONE, controller.mac),)


def paint(zones: Sequence[Zone], pixels: int, draw: Callable[[Zone, int], Colours]) -> Colours:
    """Shape (pixels, 3): each zone as `draw` has it at its length, the later above the earlier, and else dark."""
    if len(zones) == 1 and len(zones[0].span(pixels)) == pixels:
        return _turned(zones[0], pixels, draw)
    picture = np.zeros((pixels, 3), np.float32)
    for zone in zones:
        span = zone.span(pixels)
        if len(span):
            picture[span.start : span.stop] = _turned(zone, len(span), draw)
    return picture


def problem(zone: Zone, controllers: Sequence[Controller]) -> str | None:
    """Why not all of it is shown, in words; None where it is."""
    strip = next((one for one in controllers if zone.is_on(one) and not one.yielded), None)
    if strip is None:
        return f"no controller {zone.controller!r} is driven"
    if zone.start >= strip.pixels:
        return f"begins at {zone.start}, beyond the {strip.pixels} pixels of {strip.name!r}"
    if zone.stop is not None and zone.stop > strip.pixels:
        return f"ends at {zone.stop}, cut at the {strip.pixels} pixels of {strip.name!r}"
    return None


def _turned(zone: Zone, pixels: int, draw: Callable[[Zone, int], Colours]) -> Colours:
    if not zone.mirror:
        picture = draw(zone, pixels)
        return picture[::-1] if zone.reverse else picture
    half = draw(zone, (pixels + 1) // 2)
    outwards = half[::-1] if not zone.reverse else half
    return np.concatenate([outwards, outwards[::-1][pixels % 2 :]])
