"""What the light follows of the room, and what a person changes of it while it runs."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from pydantic import ValidationError

from jambridge import sections
from jambridge.config import Config
from jambridge.edges import Latest, values
from jambridge.errors import WireError
from jambridge.light import zones
from jambridge.light.colour import ColorMode
from jambridge.light.control import LightSettings, MidiPlayer
from jambridge.light.music import Music
from jambridge.light.presenting import When
from jambridge.light.syncmode import Wanted
from jambridge.light.wled import Controller
from jambridge.light.zones import Zone
from jambridge.room.state import RoomState
from jambridge.strict_json import JsonObject
from jambridge.sync.service import Sync
from jambridge.typed_json import plain

log = logging.getLogger(__name__)

CHANGEABLE = ("mode", "effect", "brightness", "zones", "attack", "decay", "octave", "timing")
"""Of the configuration's `light`, until the next start; `mode` neither to nor from off. Not the flash limit."""
PAUSED = "paused"
CLOCK_S = 1.0
SETTLED_S = 15.0  # by then every controller that is there has been found
_SAME_S = 1e-3  # of a beat


class Lighting:
    def __init__(self, config: Config) -> None:
        self._config = config
        self.settings: Latest[LightSettings] = Latest(sections.light_settings(config))
        self.music: Latest[Music] = Latest(Music())
        self.midi: Latest[tuple[MidiPlayer, ...]] = Latest(())

    @property
    def wanted(self) -> Wanted:
        return self._config.light.mode

    @property
    def timing(self) -> When:
        return self._config.light.timing

    def describe(self) -> JsonObject:
        """What may be changed, as it is."""
        light = self._config.light.model_dump(mode="json")
        return {PAUSED: self.settings.value.paused, **{name: light[name] for name in CHANGEABLE}}

    def section(self, driven: Sequence[Controller]) -> JsonObject:
        """Of the status: what is wanted of all, and each zone with what keeps it from being shown whole."""
        settings = self.settings.value
        found = [{**plain(zone), "problem": zones.problem(zone, driven)} for zone in settings.zones]
        return {
            "wanted": self.wanted,
            PAUSED: settings.paused,
            "effect": settings.effect,
            "brightness": settings.brightness,
            "zones": found,
        }

    async def tell_problems(self, driven: Latest[tuple[Controller, ...]], settled_s: float = SETTLED_S) -> None:
        """Log a zone that cannot be shown whole, and one that can be again."""
        said: dict[Zone, str] = {}
        await asyncio.sleep(settled_s)
        while True:
            await asyncio.sleep(CLOCK_S)
            found = {zone: zones.problem(zone, driven.value) for zone in self.settings.value.zones}
            now = {zone: problem for zone, problem in found.items() if problem}
            for zone, problem in now.items():
                if said.get(zone) != problem:
                    log.warning("a zone is not shown whole player=%r problem=%s", zone.player, problem)
            for zone in said.keys() - now.keys():
                log.info("a zone is shown player=%r controller=%r", zone.player, zone.controller)
            said = now

    def change(self, wanted: Mapping[str, object]) -> None:
        """Put some of `CHANGEABLE` in force, or pause (`PAUSED`); all or none.

        Raises:
            WireError: another key, or a value that cannot be.
        """
        before, values = self.settings.value, dict(wanted)
        paused = values.pop(PAUSED, before.paused)
        if not isinstance(paused, bool):
            raise WireError(f"{PAUSED} is true or false")
        if unknown := [name for name in values if name not in CHANGEABLE]:
            raise WireError(f"{unknown[0][:40]!r} cannot be changed here, only {', '.join((PAUSED, *CHANGEABLE))}")
        light = self._config.light
        try:
            text = json.dumps({**light.model_dump(mode="json"), **values})
            changed = type(light).model_validate_json(text, strict=True)  # neither true nor "0.5" is a number
        except ValidationError as exc:
            first = exc.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise WireError(f"{where}: {first['msg']}"[:200]) from exc
        if light.mode != changed.mode and "off" in (light.mode, changed.mode):
            raise WireError(f"mode: off is for the configuration to say; {PAUSED} can be changed here")
        self._config = self._config.model_copy(update={"light": changed})
        self.settings.set(
            replace(
                sections.light_settings(self._config),
                paused=paused,
                color_mode=before.color_mode,
                mode=before.mode,
                shares=before.shares,
            )
        )

    async def follow(self, state: Latest[RoomState], sync: Sync) -> None:
        """Keep colour mode, key, scale and beat as the room has them."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_state(state, sync))
            group.create_task(self._follow_beat(state, sync))

    async def _follow_state(self, state: Latest[RoomState], sync: Sync) -> None:
        async for now in values(state):
            if now.stamp("colorMode").revision:  # until somebody says, it is the configuration's
                mode: ColorMode = "harmonic" if now.color_mode == "harmonic" else "chromatic"
                self.settings.set(replace(self.settings.value, color_mode=mode))
            self._tell(now, sync)

    async def _follow_beat(self, state: Latest[RoomState], sync: Sync) -> None:
        seen = sync.beat.value
        while True:
            with suppress(TimeoutError):  # the clock may have moved
                async with asyncio.timeout(CLOCK_S):
                    seen = await sync.beat.changed(seen)
            self._tell(state.value, sync)

    def _tell(self, state: RoomState, sync: Sync) -> None:
        beat, course = sync.beat.value, sync.report.value.course
        beat_at = course.local_s(beat.room_s(0)) if beat.is_playing else None
        before = self.music.value.beat_at
        if beat_at is not None and before is not None and abs(beat_at - before) < _SAME_S:
            beat_at = before
        self.music.set(Music(key=state.key, scale=state.scale, tempo=beat.tempo, beat_at=beat_at))
