"""What every strip shows: its zones, each an effect of what their players play."""

from dataclasses import replace

from jambridge.audio.source import Source
from jambridge.light import zones
from jambridge.light.colour import Colours
from jambridge.light.control import LightSettings
from jambridge.light.effects import EFFECTS, FADE_BEATS, SCROLL_BEATS, Part
from jambridge.light.ensemble import Ensemble
from jambridge.light.music import Music
from jambridge.light.wled import Controller
from jambridge.light.zones import Zone
from jambridge.units import LocalSeconds


class Stage:
    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble
        self.settings = LightSettings()
        self.music = Music()
        """Its colour mode is that of the settings."""

    @property
    def is_moving(self) -> bool:
        """Whether pictures change without a sound: on the beat."""
        return self.music.beat_at is not None and self._uses("beat")

    @property
    def fades_s(self) -> float:
        """Seconds that pictures may go on to change when nothing sounds any more."""
        decay = self.settings.style.decay_beats
        beats = SCROLL_BEATS if self._uses("scroll") else FADE_BEATS if decay is None else decay
        return beats * self.music.beat_s

    def parts(self, now: LocalSeconds) -> list[tuple[Source, Part]]:
        """All that pictures of one moment are made of."""
        return self._ensemble.parts(now, with_bands=self._uses("spectrum"))

    def picture(self, parts: list[tuple[Source, Part]], controller: Controller, now: LocalSeconds) -> Colours:
        """Shape (pixels, 3), 0..1."""

        def draw(zone: Zone, pixels: int) -> Colours:
            effect = EFFECTS[zone.effect or self.settings.effect]
            shown = [part for source, part in parts if zone.shows(source)]
            return effect(shown, now, music, self.settings.style, pixels)

        music = replace(self.music, color_mode=self.settings.color_mode)
        return zones.paint(zones.on(controller, self.settings.zones), controller.pixels, draw)

    def _uses(self, name: str) -> bool:
        return name == self.settings.effect or any(zone.effect == name for zone in self.settings.zones)
