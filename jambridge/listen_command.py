"""`jambridge listen`: a file through the live detector, to the terminal, to programs, or to a strip."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from jambridge import sections
from jambridge.audio.feed import Feeds
from jambridge.audio.file import Block, open_sound
from jambridge.audio.pace import paced, stereo_blocks
from jambridge.audio.ring import Feed
from jambridge.config import Config, ControllerConfig
from jambridge.edges import Latest
from jambridge.errors import UnavailableError
from jambridge.light.control import LightSettings
from jambridge.light.discovery import open_discovery
from jambridge.light.process import open_light
from jambridge.light.wled import Controller
from jambridge.listen import listen, to_json
from jambridge.notes.frame import NoteFrame
from jambridge.services import Services
from jambridge.units import PeerId

_FOUND_WITHIN_S = 6.0


def run(sound: Path, config: Config, *, as_json: bool, host: str | None, realtime: bool) -> None:
    """Print what is heard; with `host`, light the WLED there in the sound's own time, and print only `as_json`.

    Raises:
        UnavailableError: the file cannot be read, or no WLED answers.
    """
    if host is not None:
        asyncio.run(_light(sound, config, host, as_json=as_json))
        return
    start = time.monotonic()
    before: tuple[str, ...] = ()
    for frame in listen(open_sound(sound), config.notes.threshold):
        if realtime:
            time.sleep(max(0.0, start + frame.captured_at - time.monotonic()))
        if as_json:
            sys.stdout.write(json.dumps(to_json(frame)) + "\n")
        elif (names := tuple(note.name for note in frame.notes)) != before:
            before = names
            sys.stdout.write(_line(frame, names))
        if realtime:
            sys.stdout.flush()


def _line(frame: NoteFrame, names: tuple[str, ...]) -> str:
    mark = "*" if frame.onset else " "
    return f"{frame.captured_at:8.2f} s  {frame.level_dbfs:6.1f} dBFS {mark} {' '.join(names) or '-'}\n"


def settings(config: Config) -> LightSettings:
    """As configured, but lit in every mode, and without zones: a file is no player that one could be for."""
    return replace(sections.light_settings(config), mode="local", zones=())


async def _light(sound: Path, config: Config, host: str, *, as_json: bool) -> None:
    """The file takes the way of a musician's sound: ring, light process, DDP."""
    blocks = open_sound(sound)
    feeds = Feeds(1)
    controllers: Latest[tuple[Controller, ...]] = Latest(())
    name, _, port = host.partition(":")
    named = _named(config, name, port)
    light_only = config.light.model_copy(update={"discover": "off", "controllers": [named]})
    shown = Latest(settings(config))
    services = Services()
    services.start("discovery", lambda: open_discovery(light_only, tuple, controllers))
    services.start("light", lambda: open_light(feeds.rings, feeds.wakes, feeds.sources, controllers, shown))
    try:
        try:
            async with asyncio.timeout(_FOUND_WITHIN_S):
                await controllers.changed(())
        except TimeoutError:
            raise UnavailableError(f"no WLED answers at {host}") from None
        feed = feeds.open(PeerId("file"), sound.name)
        if feed is not None:
            telling = (_tell(sound, config),) if as_json else ()
            await asyncio.gather(_play(blocks, feed), *telling)
    finally:
        await services.stop("light")


async def _play(blocks: Iterator[Block], feed: Feed) -> None:
    async for block in paced(stereo_blocks(blocks)):
        feed.write(block)


async def _tell(sound: Path, config: Config) -> None:
    """As JSON, each frame when it has been played."""
    start = time.monotonic()
    for frame in listen(open_sound(sound), config.notes.threshold):
        await asyncio.sleep(start + frame.captured_at - time.monotonic())
        sys.stdout.write(json.dumps(to_json(frame)) + "\n")
        sys.stdout.flush()


def _named(config: Config, host: str, port: str) -> ControllerConfig:
    """What the configuration says of this host, or just where it is."""
    with suppress(StopIteration):
        return next(one for one in config.light.controllers if host in (one.host, one.name))
    return ControllerConfig(host=host, http_port=int(port) if port.isdigit() else 80)
