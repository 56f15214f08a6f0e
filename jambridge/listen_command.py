"""`jambridge listen`: a file through the live detector, to the terminal, to programs, or to a strip."""

import asyncio
import json
import sys
import time
from contextlib import suppress
from pathlib import Path

from jambridge.audio.feed import Feeds
from jambridge.audio.file import open_sound
from jambridge.audio.pace import paced, stereo_blocks
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
    """Print what is heard; with `host`, light the WLED there in the sound's own time.

    Raises:
        UnavailableError: the file cannot be read, or no WLED answers.
    """
    if host is not None:
        asyncio.run(_light(sound, config, host))
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


async def _light(sound: Path, config: Config, host: str) -> None:
    """The file takes the way of a musician's sound: ring, light process, DDP."""
    blocks = open_sound(sound)
    feeds = Feeds(1)
    controllers: Latest[tuple[Controller, ...]] = Latest(())
    name, _, port = host.partition(":")
    named = _named(config, name, port)
    light_only = config.light.model_copy(update={"discover": "off", "controllers": [named]})
    settings = Latest(LightSettings(color_mode=light_only.color_mode, threshold=config.notes.threshold))
    services = Services()
    services.start("discovery", lambda: open_discovery(light_only, tuple, controllers))
    services.start("light", lambda: open_light(feeds.rings, feeds.wakes, feeds.sources, controllers, settings))
    try:
        try:
            async with asyncio.timeout(_FOUND_WITHIN_S):
                await controllers.changed(())
        except TimeoutError:
            raise UnavailableError(f"no WLED answers at {host}") from None
        feed = feeds.open(PeerId("file"), sound.name)
        if feed is not None:
            async for block in paced(stereo_blocks(blocks)):
                feed.write(block)
    finally:
        await services.stop("light")


def _named(config: Config, host: str, port: str) -> ControllerConfig:
    """What the configuration says of this host, or just where it is."""
    with suppress(StopIteration):
        return next(one for one in config.light.controllers if host in (one.host, one.name))
    return ControllerConfig(host=host, http_port=int(port) if port.isdigit() else 80)
