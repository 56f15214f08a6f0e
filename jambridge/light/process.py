"""The light process as the main process sees it: started, told what changes, listened to, ended."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

from jambridge import child
from jambridge.audio.ring import Rings, WakePipe
from jambridge.audio.source import Source
from jambridge.child import Child, open_child
from jambridge.edges import Latest, values
from jambridge.errors import WireError
from jambridge.light import control
from jambridge.light.control import (
    Controllers,
    LightSettings,
    MidiPlayer,
    MidiPlayers,
    Picture,
    Quit,
    Report,
    Sources,
    Try,
    Watch,
)
from jambridge.light.link import UdpLink
from jambridge.light.music import Music
from jambridge.light.patterns import PatternName
from jambridge.light.presenting import Timing
from jambridge.light.wled import Controller
from jambridge.sync.service import ClockReport

log = logging.getLogger(__name__)

ENGINE = child.module("jambridge.light.engine")
_QUIT = control.encode(Quit())


def _nothing(_news: Picture | bytes) -> None:
    """Nobody is told."""


class Lights:
    """The running light process; fails with DeviceError when it dies or falls silent."""

    def __init__(
        self,
        process: Child,
        sources: Latest[tuple[Source, ...]],
        controllers: Latest[tuple[Controller, ...]],
        settings: Latest[LightSettings],
        clock: Latest[ClockReport] | None,
        music: Latest[Music],
        given: Latest[Picture | None],
        midi: Latest[tuple[MidiPlayer, ...]],
        timing: Latest[Timing],
        share: Callable[[Picture], None],
        watched: Latest[bool],
        preview: Callable[[bytes], None],
    ) -> None:
        self._process = process
        self._clock = clock
        self._sources = sources
        self._controllers = controllers
        self._settings = settings
        self._music = music
        self._given = given
        self._midi = midi
        self._timing = timing
        self._share = share
        self._watched = watched
        self._preview = preview
        self._try: Latest[Try | None] = Latest(None)
        self._reported_at = -math.inf
        self.report: Report | None = None
        """The newest; at most a tenth of a second old while the service runs."""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def silent_s(self) -> float:
        """Seconds since the newest report; infinite before the first."""
        return time.monotonic() - self._reported_at

    def release(self) -> None:
        """Have every WLED released and the process leave, at once: the first thing to do at SIGTERM."""
        self._process.leave()

    def show_pattern(self, controller: Controller, pattern: PatternName) -> None:
        """On this WLED, once."""
        number = self._try.value.number + 1 if self._try.value else 0
        self._try.set(Try(controller, pattern, number))

    async def ended(self) -> int:
        """Its exit status, as soon as there is one."""
        return await self._process.ended()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_settings())
            group.create_task(self._tell_music())
            group.create_task(self._tell_pictures())
            group.create_task(self._tell_timing())
            group.create_task(self._tell_sources())
            group.create_task(self._tell_midi())
            group.create_task(self._tell_controllers())
            group.create_task(self._tell_tries())
            group.create_task(self._tell_watched())
            if self._clock is not None:
                group.create_task(self._tell_time(self._clock))
            group.create_task(self._collect())

    async def _tell_settings(self) -> None:
        async for settings in values(self._settings):
            await self._process.tell(control.encode(settings))

    async def _tell_music(self) -> None:
        async for music in values(self._music):
            await self._process.tell(control.encode(music))

    async def _tell_pictures(self) -> None:
        async for picture in values(self._given):
            if picture is not None:
                await self._process.tell(control.encode(picture))

    async def _tell_timing(self) -> None:
        async for timing in values(self._timing):
            await self._process.tell(control.encode(timing))

    async def _tell_sources(self) -> None:
        async for sources in values(self._sources):
            await self._process.tell(control.encode(Sources(sources)))

    async def _tell_midi(self) -> None:
        async for players in values(self._midi):
            await self._process.tell(control.encode(MidiPlayers(players)))

    async def _tell_controllers(self) -> None:
        async for controllers in values(self._controllers):
            await self._process.tell(control.encode(Controllers(controllers)))

    async def _tell_time(self, clock: Latest[ClockReport]) -> None:
        async for report in values(clock):
            await self._process.tell(control.encode(report.course))

    async def _tell_tries(self) -> None:
        async for one in values(self._try):
            if one is not None:
                await self._process.tell(control.encode(one))

    async def _tell_watched(self) -> None:
        async for is_on in values(self._watched):
            await self._process.tell(control.encode(Watch(is_on)))

    async def _collect(self) -> None:
        while True:
            packet = await self._process.hear()
            if (strips := control.previews(packet)) is not None:
                self._preview(strips)
                continue
            with suppress(WireError):
                message = control.decode(packet)
                if isinstance(message, Picture):
                    self._share(message)
                elif isinstance(message, Report):
                    self._log_edges(message)
                    self.report, self._reported_at = message, time.monotonic()

    def _log_edges(self, report: Report) -> None:
        """A line when frames cannot be sent any more, and one when they can again."""
        errors = {output.mac: output.error for output in self.report.outputs} if self.report else {}
        names = {controller.mac: controller.name for controller in self._controllers.value}
        for output in report.outputs:
            name, before = names.get(output.mac, ""), errors.get(output.mac)
            if output.error and not before:
                log.warning("frames cannot be sent name=%s mac=%s error=%s", name, output.mac, output.error)
            elif before and not output.error:
                log.info("frames are sent again name=%s mac=%s", name, output.mac)


@asynccontextmanager
async def open_light(
    rings: Rings,
    wakes: WakePipe,
    sources: Latest[tuple[Source, ...]],
    controllers: Latest[tuple[Controller, ...]],
    settings: Latest[LightSettings],
    clock: Latest[ClockReport] | None = None,
    music: Latest[Music] | None = None,
    given: Latest[Picture | None] | None = None,
    midi: Latest[tuple[MidiPlayer, ...]] | None = None,
    timing: Latest[Timing] | None = None,
    watched: Latest[bool] | None = None,
    *,
    share: Callable[[Picture], None] = _nothing,
    preview: Callable[[bytes], None] = _nothing,
    command: Sequence[str] = ENGINE,
) -> AsyncIterator[Lights]:
    """Start the light process on the present sources, controllers and settings; end it, releasing every WLED.

    Its ticks are those of the room's `clock`, else its own. While `watched`, `preview` is told what the strips show,
    see `control.previews`.

    Raises:
        DeviceError: it cannot be started.
    """
    numbers = (rings.fd, rings.slots, rings.capacity, wakes.read_fd)
    descriptors = (rings.fd, wakes.read_fd)

    def release_here() -> None:
        release(controllers.value)

    async with open_child("light", (*command, *map(str, numbers)), descriptors, _QUIT, release_here) as process:
        yield Lights(
            process,
            sources,
            controllers,
            settings,
            clock,
            music or Latest(Music()),
            given or Latest(None),
            midi or Latest(()),
            timing or Latest(Timing()),
            share,
            watched or Latest(False),
            preview,
        )


def release(controllers: Iterable[Controller]) -> None:
    """Release every WLED from this process: for when the light process is dead."""
    for controller in controllers:
        if not controller.yielded:
            with suppress(OSError):
                UdpLink(controller).release()
