"""SIGHUP: the configuration is read again. What can change while we run is put in force; the rest awaits a restart."""

import asyncio
import logging
from collections.abc import Callable

from jambridge import sections
from jambridge.config import Config
from jambridge.errors import ConfigError
from jambridge.lighting import CHANGEABLE, Lighting

log = logging.getLogger(__name__)

VOLUME, LEVEL = "audio.master_volume", "log.level"
LIVE = frozenset({VOLUME, LEVEL, *(f"light.{name}" for name in CHANGEABLE)})


def differing(before: Config, now: Config) -> set[str]:
    """The keys whose values differ, as `light.effect`."""
    old, new = before.model_dump(), now.model_dump()
    return {f"{section}.{key}" for section, keys in new.items() for key in keys if keys[key] != old[section][key]}


async def follow(
    asked: asyncio.Event,
    read: Callable[[], Config],
    started: Config,
    lighting: Lighting,
    set_volume: Callable[[float], None],
) -> None:
    """Read again whenever it is `asked`, for ever; what was changed otherwise stays, where the file says what it said.

    Args:
        asked: set by SIGHUP.
        read: the configuration as a start would find it; raises ConfigError.
        started: the one that we started with.
        lighting: takes the light's keys.
        set_volume: takes the master volume.
    """
    latest = started
    while True:
        await asked.wait()
        asked.clear()
        try:
            now = await asyncio.to_thread(_checked, read)
        except (ConfigError, OSError) as exc:
            log.warning("the configuration is wrong, nothing has changed: %s", "; ".join(str(exc).splitlines()))
            continue
        changeable = _changeable(started, now)
        live = differing(latest, now) & changeable
        latest = now
        light = now.light.model_dump(mode="json")
        if changed := {name: light[name] for name in CHANGEABLE if f"light.{name}" in live}:
            lighting.change(changed)
        if VOLUME in live:
            set_volume(now.audio.master_volume)
        if LEVEL in live:
            logging.getLogger().setLevel(now.log.level.upper())
        log.info("the configuration was read again changed=%s", ", ".join(sorted(live)) or "nothing")
        if waiting := differing(started, now) - changeable:
            log.warning("restart to apply what else has changed keys=%s", ", ".join(sorted(waiting)))


def _changeable(started: Config, now: Config) -> frozenset[str]:
    """Keys; without light there are no feeds to begin with."""
    return LIVE - {"light.mode"} if "off" in (started.light.mode, now.light.mode) else LIVE


def _checked(read: Callable[[], Config]) -> Config:
    config = read()
    sections.check(config)
    return config
