"""The light process as the main process sees it: started, told what changes, listened to, ended."""

import asyncio
import logging
import math
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from jambridge.audio.ring import Rings, WakePipe
from jambridge.audio.source import Source
from jambridge.edges import Latest
from jambridge.errors import DeviceError, WireError
from jambridge.light import control
from jambridge.light.control import Controllers, LightSettings, Quit, Report, Sources
from jambridge.light.output import UdpLink
from jambridge.light.wled import Controller

log = logging.getLogger(__name__)

ENGINE = (sys.executable, "-m", "jambridge.light.engine")
FIRST_REPORT_WITHIN_S = 20.0  # a Pi reads numpy from its card for a while
REPORT_WITHIN_S = 3.0
_LEAVE_WITHIN_S = 1.0
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # numpy's own would wait spinning, and take memory
T = TypeVar("T")


class Lights:
    """The running light process; fails with DeviceError when it dies or falls silent."""

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        control_socket: socket.socket,
        sources: Latest[tuple[Source, ...]],
        controllers: Latest[tuple[Controller, ...]],
        settings: Latest[LightSettings],
    ) -> None:
        self._child = child
        self._control = control_socket
        self._sources = sources
        self._controllers = controllers
        self._settings = settings
        self._sending = asyncio.Lock()
        self._leaving = False
        self._reported_at = -math.inf
        self.report: Report | None = None
        """The newest; at most a tenth of a second old while the service runs."""

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def silent_s(self) -> float:
        """Seconds since the newest report; infinite before the first."""
        return time.monotonic() - self._reported_at

    def release(self) -> None:
        """Have every WLED released and the process leave, at once: the first thing to do at SIGTERM."""
        self._leaving = True
        with suppress(OSError):
            self._control.send(control.encode(Quit()))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell_settings())
            group.create_task(self._tell_sources())
            group.create_task(self._tell_controllers())
            group.create_task(self._collect())

    async def _tell_settings(self) -> None:
        async for settings in _values(self._settings):
            await self._tell(settings)

    async def _tell_sources(self) -> None:
        async for sources in _values(self._sources):
            await self._tell(Sources(sources))

    async def _tell_controllers(self) -> None:
        async for controllers in _values(self._controllers):
            await self._tell(Controllers(controllers))

    async def _tell(self, message: control.Message) -> None:
        async with self._sending:
            try:
                await asyncio.get_running_loop().sock_sendall(self._control, control.encode(message))
            except OSError as exc:
                if not self._leaving:
                    raise DeviceError("the light process is gone") from exc

    async def _collect(self) -> None:
        limit_s = FIRST_REPORT_WITHIN_S
        while True:
            try:
                async with asyncio.timeout(limit_s):
                    packet = await asyncio.get_running_loop().sock_recv(self._control, control.MAX_BYTES)
            except TimeoutError:
                raise DeviceError(f"the light process has not reported for {limit_s:.0f} s") from None
            except OSError:
                packet = b""
            if not packet and self._leaving:
                await asyncio.Event().wait()  # as asked: no failure, and nothing more to do
            if not packet:
                raise DeviceError("the light process ended")
            with suppress(WireError):
                message = control.decode(packet)
                if isinstance(message, Report):
                    self._log_edges(message)
                    self.report, self._reported_at = message, time.monotonic()
                    limit_s = REPORT_WITHIN_S

    def _log_edges(self, report: Report) -> None:
        """A line when frames cannot be sent any more, and one when they can again."""
        errors = {output.mac: output.error for output in self.report.outputs} if self.report else {}
        for output in report.outputs:
            before = errors.get(output.mac)
            if output.error and not before:
                log.warning("frames cannot be sent mac=%s error=%s", output.mac, output.error)
            elif before and not output.error:
                log.info("frames are sent again mac=%s", output.mac)

    async def ended(self) -> int:
        """Its exit status, as soon as there is one."""
        return await self._child.wait()

    async def close(self) -> None:
        """Ask it to release every WLED and leave; insist after a second."""
        self.release()
        try:
            async with asyncio.timeout(_LEAVE_WITHIN_S):
                await self._child.wait()
        except TimeoutError:
            log.warning("the light process does not leave and is killed pid=%d", self._child.pid)
        finally:
            if self._child.returncode is None:
                with suppress(ProcessLookupError):
                    self._child.kill()
                release(self._controllers.value)
                await self._child.wait()


@asynccontextmanager
async def open_light(
    rings: Rings,
    wakes: WakePipe,
    sources: Latest[tuple[Source, ...]],
    controllers: Latest[tuple[Controller, ...]],
    settings: Latest[LightSettings],
    *,
    command: Sequence[str] = ENGINE,
) -> AsyncIterator[Lights]:
    """Start the light process on the present sources, controllers and settings; end it, releasing every WLED.

    Raises:
        DeviceError: it cannot be started.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            ours.setblocking(False)
            descriptors = (rings.fd, wakes.read_fd, theirs.fileno())
            numbers = (rings.fd, rings.slots, rings.capacity, wakes.read_fd, theirs.fileno())
            try:
                child = await asyncio.create_subprocess_exec(
                    *command,
                    *map(str, numbers),
                    pass_fds=descriptors,
                    env={**os.environ, **_ONE_THREAD},
                    start_new_session=True,
                )
            except OSError as exc:
                raise DeviceError(f"the light process cannot be started: {exc}") from exc
        lights = Lights(child, ours, sources, controllers, settings)
        try:
            yield lights
        finally:
            await lights.close()


def release(controllers: Iterable[Controller]) -> None:
    """Release every WLED from this process: for when the light process is dead."""
    for controller in controllers:
        if not controller.yielded:
            with suppress(OSError):
                UdpLink(controller).release()


async def _values(latest: Latest[T]) -> AsyncIterator[T]:
    value = latest.value
    while True:
        yield value
        value = await latest.changed(value)
