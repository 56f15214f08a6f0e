"""A pattern on one WLED while no daemon runs here: found, shown by a light process of our own, released."""

import asyncio
from collections.abc import Collection

from jambridge.audio.feed import Feeds
from jambridge.config import ControllerConfig, LightConfig
from jambridge.edges import Latest
from jambridge.errors import DeviceError, LinkError, UnavailableError
from jambridge.light.control import LightSettings, OutputReport
from jambridge.light.discovery import Discovery, open_discovery
from jambridge.light.patterns import PatternName
from jambridge.light.process import open_light
from jambridge.light.wled import Controller

_FOUND_WITHIN_S = 5.0
_LOOK_S = 0.1
_PLAIN = ControllerConfig()


def run(section: LightConfig, adopted: Collection[str], name: str, pattern: PatternName) -> str:
    """Show it to its end; what was shown, as a line.

    Raises:
        UnavailableError: no such WLED, or it cannot be shown there.
    """
    host, _, port = name.partition(":")
    if "." in host:
        name, section = host, _with(section, host, port)
    return asyncio.run(_run(section, adopted, name, pattern))


def settings(section: LightConfig) -> LightSettings:
    """What of the configuration holds for a pattern as well."""
    return LightSettings(brightness=section.brightness, max_fps=section.max_fps, flashes_per_s=section.flashes_per_s)


async def _run(section: LightConfig, adopted: Collection[str], name: str, pattern: PatternName) -> str:
    async with open_discovery(section, lambda: adopted, Latest(())) as discovery:
        looking = asyncio.create_task(discovery.run())
        try:
            controller = await _found(discovery, name)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
    sent = await _show(controller, pattern, settings(section))
    where = f"{controller.name} ({controller.mac}) at {controller.host}, {controller.pixels} pixels"
    return f"{where}: {sent.error or f'{sent.frames_sent} frames sent over {controller.protocol}'}"


async def _found(discovery: Discovery, name: str) -> Controller:
    tries = round(_FOUND_WITHIN_S / _LOOK_S)
    for left in reversed(range(tries)):
        try:
            return discovery.way_to(name)
        except LinkError as exc:
            if not left:
                raise UnavailableError(str(exc)) from exc
        await asyncio.sleep(_LOOK_S)
    raise AssertionError


async def _show(controller: Controller, pattern: PatternName, settings: LightSettings) -> OutputReport:
    """The newest report of it."""
    feeds = Feeds(1)
    none: Latest[tuple[Controller, ...]] = Latest(())
    async with open_light(feeds.rings, feeds.wakes, feeds.sources, none, Latest(settings)) as lights:
        running = asyncio.create_task(lights.run())
        sent: OutputReport | None = None
        try:
            lights.show_pattern(controller, pattern)
            while not running.done():
                outputs = lights.report.outputs if lights.report else ()
                if sent is not None and not outputs:
                    return sent  # it has ended, and was released
                sent = outputs[0] if outputs else None
                await asyncio.wait({running}, timeout=_LOOK_S)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    raise DeviceError("the light process ended before the pattern did")


def _with(section: LightConfig, host: str, port: str) -> LightConfig:
    """As well the WLED at an address that was given instead of a name."""
    if any(one.host == host for one in section.controllers):
        return section
    there = ControllerConfig(host=host, http_port=int(port) if port.isdigit() else _PLAIN.http_port)
    return section.model_copy(update={"controllers": [*section.controllers, there]})
