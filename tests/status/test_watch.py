"""What systemd is told, over its socket."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from jambridge.audio.card.control import CaptureReport, PlaybackReport
from jambridge.edges import Latest
from jambridge.errors import DeviceError
from jambridge.room.edges import RoomEdges
from jambridge.services import Services
from jambridge.status.alerts import Alerts
from jambridge.status.watch import STARTS_WITHIN_S, watch
from jambridge.supervise import State
from jambridge.units import PeerId

PATIENCE_S = 20.0
FAULTS = {"light": "does not tick"}


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Its end, not listening yet. It watches so closely that every look tells it."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.setblocking(False)
        yield listening


class Looks:
    """How often it was asked what is wrong."""

    def __init__(self, faults: dict[str, str]) -> None:
        self._faults = faults
        self.number = Latest(0)

    def __call__(self) -> dict[str, str]:
        self.number.set(self.number.value + 1)
        return self._faults

    async def several(self) -> None:
        began = self.number.value
        while (number := self.number.value) < began + 3:
            await self.number.changed(number)


class Standing:
    """It runs, and does nothing any more."""

    async def run(self) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def standing() -> AsyncIterator[Standing]:
    yield Standing()


@asynccontextmanager
async def broken() -> AsyncIterator[Standing]:
    raise DeviceError("the light process ended")
    yield Standing()


def watching(looks: Looks, scenario: Callable[[Services], Awaitable[None]]) -> None:
    async def run() -> None:
        services = Services()
        room, captured, played = RoomEdges(PeerId("box")), Latest(CaptureReport()), Latest(PlaybackReport())
        watcher = asyncio.create_task(watch(looks, services, room, Alerts(), dict, captured, played))
        async with asyncio.timeout(PATIENCE_S):
            await scenario(services)
        watcher.cancel()
        await services.stop()

    asyncio.run(run())


async def told(systemd: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(systemd, 100)


def listen(systemd: socket.socket, tmp_path: Path) -> None:
    systemd.bind(str(tmp_path / "notify"))


def test_a_light_that_is_started_again_and_again_does_not_end_the_sound(systemd: socket.socket, tmp_path: Path) -> None:
    listen(systemd, tmp_path)

    async def scenario(services: Services) -> None:
        services.start("light", broken)
        assert [await told(systemd) for _ in range(4)] == [b"WATCHDOG=1"] * 4, "alive, though not ready"

    watching(Looks(FAULTS), scenario)


def test_what_runs_and_stands_still_is_left_to_systemd(systemd: socket.socket, tmp_path: Path) -> None:
    listen(systemd, tmp_path)
    looks = Looks(FAULTS)

    async def scenario(services: Services) -> None:
        light = services.start("light", standing)
        while light.health.state is not State.RUNNING:  # noqa: ASYNC110  what is waited for is another task's
            await asyncio.sleep(0)
        light.health.running_since_s = time.monotonic() - STARTS_WITHIN_S - 1
        with suppress(BlockingIOError):
            while True:  # what it was told before
                systemd.recv(100)
        await looks.several()
        with pytest.raises(BlockingIOError):
            systemd.recv(100)

    watching(looks, scenario)


def test_ready_is_told_again_until_it_is_heard(
    systemd: socket.socket, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    looks = Looks({})

    async def scenario(_: Services) -> None:
        await looks.several()
        listen(systemd, tmp_path)
        assert await told(systemd) == b"READY=1\nSTATUS=running"
        assert await told(systemd) == b"WATCHDOG=1"
        await looks.several()
        assert {systemd.recv(100) for _ in range(2)} == {b"WATCHDOG=1"}

    with caplog.at_level(logging.INFO, "jambridge.status.watch"):
        watching(looks, scenario)
    assert caplog.messages.count("ready") == 1
