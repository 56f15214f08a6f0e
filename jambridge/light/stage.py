"""What every strip shows: its zones, each an effect of what their players play."""

import math
from collections import deque
from contextlib import suppress
from dataclasses import replace

import numpy as np

from jambridge.errors import WireError
from jambridge.light import shared, zones
from jambridge.light.colour import Colours
from jambridge.light.control import LightSettings, Picture
from jambridge.light.effects import EFFECTS, FADE_BEATS, SCROLL_BEATS, Part
from jambridge.light.ensemble import Ensemble
from jambridge.light.music import Music
from jambridge.light.wled import Controller
from jambridge.light.zones import Player, Zone
from jambridge.units import LocalSeconds

_MOST = 32  # pictures that wait: half a second
_NEVER = LocalSeconds(-math.inf)


class Stage:
    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self.settings = LightSettings()
        self.music = Music()
        """Its colour mode is that of the settings."""
        self._given: shared.Rgb | None = None
        self._before: shared.Rgb | None = None
        self._given_at, self._fade_s = LocalSeconds(0.0), 0.0
        self._waiting: deque[tuple[LocalSeconds, Picture]] = deque(maxlen=_MOST)
        self._parts: list[tuple[Player, Part]] = []
        self._parts_at = _NEVER

    @property
    def is_moving(self) -> bool:
        """Whether pictures change without a sound: on the beat, and as the host says."""
        return self.settings.mode == "broadcast" or (self.music.beat_at is not None and self._uses("beat"))

    @property
    def fades_s(self) -> float:
        """Seconds that pictures may go on to change when nothing sounds any more."""
        decay = self.settings.style.decay_beats
        beats = SCROLL_BEATS if self._uses("scroll") else FADE_BEATS if decay is None else decay
        return beats * self.music.beat_s

    @property
    def due(self) -> LocalSeconds:
        """When the next of the host's pictures is to be shown."""
        return self._waiting[0][0] if self._waiting else LocalSeconds(math.inf)

    def advance(self, now: LocalSeconds) -> bool:
        """Show what of the host's is due; whether anything was."""
        changed = False
        while self._waiting and self._waiting[0][0] <= now:
            due, picture = self._waiting.popleft()
            with suppress(WireError):
                self._before = shared.rgb(self._faded(shared.PIXELS, due)) if self._given is not None else None
                self._given, self._given_at, self._fade_s = shared.from_text(picture.rgb), due, picture.fade_s
            changed = True
        return changed

    def picture(self, controller: Controller, now: LocalSeconds) -> Colours:
        """Shape (pixels, 3), 0..1."""

        def draw(zone: Zone, pixels: int) -> Colours:
            effect = EFFECTS[zone.effect or self.settings.effect]
            shown = [part for player, part in self._parts_of(now) if zone.shows(player)]
            return effect(shown, now, music, self.settings.style, pixels)

        music = self._music
        if self.settings.mode == "broadcast" and self._given is not None:
            return self._faded(controller.pixels, now)
        return zones.paint(zones.on(controller, self.settings.zones), controller.pixels, draw)

    def give(self, picture: Picture, due: LocalSeconds) -> None:
        """The host's, to be shown in broadcast mode from then on."""
        self._waiting.append((due, picture))

    def shared(self, now: LocalSeconds) -> str:
        """Our own picture of everyone, for others to show."""
        whole = Zone(zones.EVERYONE, "")
        effect = EFFECTS[self.settings.effect]
        shown = [part for player, part in self._parts_of(now) if whole.shows(player)]
        return shared.as_text(shared.rgb(effect(shown, now, self._music, self.settings.style, shared.PIXELS)))

    @property
    def _music(self) -> Music:
        mode = self.settings.color_mode
        return self.music if self.music.color_mode == mode else replace(self.music, color_mode=mode)

    def _parts_of(self, now: LocalSeconds) -> list[tuple[Player, Part]]:
        """All that pictures of one moment are made of."""
        if now != self._parts_at:
            self._parts = self._ensemble.parts(now, with_bands=self._uses("spectrum"))
            self._parts_at = now
        return self._parts

    def _faded(self, pixels: int, now: LocalSeconds) -> Colours:
        assert self._given is not None  # noqa: S101
        target = shared.stretched(self._given, pixels)
        come = min(1.0, (now - self._given_at) / self._fade_s) if self._fade_s > 0 else 1.0
        if come >= 1.0 or self._before is None:
            return target
        picture: Colours = shared.stretched(self._before, pixels) * np.float32(1 - come) + target * np.float32(come)
        return picture

    def _uses(self, name: str) -> bool:
        return name == self.settings.effect or any(zone.effect == name for zone in self.settings.zones)
