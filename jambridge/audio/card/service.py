"""The sound cards as the main process sees them: a process each, told the settings, listened to, started again."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Generic, TypeVar

from jambridge import child
from jambridge.audio.card import control
from jambridge.audio.card.control import (
    CaptureReport,
    CaptureSettings,
    CardReport,
    PlaybackReport,
    PlaybackSettings,
    Quit,
)
from jambridge.audio.feed import Feeds
from jambridge.audio.ring import Feed
from jambridge.child import Child, open_child
from jambridge.edges import Latest, values
from jambridge.errors import DeviceError, WireError

log = logging.getLogger(__name__)

CAPTURE = child.module("jambridge.audio.card.capture")
PLAYBACK = child.module("jambridge.audio.card.playback")
RETRY_S = 1.0
"""The longest before another try: a card that is back is used within five seconds."""
_QUIT = control.encode(Quit())

S = TypeVar("S", CaptureSettings, PlaybackSettings)
R = TypeVar("R", CaptureReport, PlaybackReport)


class CardService(Generic[S, R]):
    """A sound card's process. Fails with DeviceError when the card is lost."""

    def __init__(
        self, name: str, process: Child, settings: Latest[S], reports: Latest[R], tones: Latest[bytes] | None = None
    ) -> None:
        self._name = name
        self._process = process
        self._settings: Latest[S] = settings
        self._reports: Latest[R] = reports
        self._tones = tones
        self._has_looked = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def hint(self, packet: bytes) -> None:
        """Pass on a message that does not matter if the process is just gone, or does not read."""
        self._process.post(packet)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            group.create_task(self._collect())

    async def _tell(self) -> None:
        async for settings in values(self._settings):
            await self._process.tell(control.encode(settings))

    async def _collect(self) -> None:
        kind = type(self._reports.value)
        while True:
            try:
                packet = await self._process.hear()
            except DeviceError as exc:
                self._blame(str(exc))
                raise
            if control.is_heard(packet):
                if self._tones is not None:
                    self._tones.set(packet)
                continue
            with suppress(WireError):
                message = control.decode(packet)
                if isinstance(message, kind):
                    self._take(message)

    def _blame(self, problem: str) -> None:
        """The process can no longer say itself why no card is in use."""
        report = self._reports.value
        self._reports.set(replace(report, card=CardReport(problem=problem, chosen=report.card.chosen)))

    def _take(self, report: R) -> None:
        before, now = self._reports.value.card, report.card
        self._reports.set(report)
        if not self._has_looked and not now.card and not now.problem:
            log.info("%s has no sound card: none is there", self._name)
        self._has_looked = True
        if now.problem and now.problem != before.problem:
            log.warning("%s waits error=%s", self._name, now.problem)
        if now.card and now.card != before.card:
            log.info("%s open card=%s rate_hz=%d", self._name, now.card, now.rate_hz)
        if before.card and not now.card and now.problem:
            raise DeviceError(now.problem)


@asynccontextmanager
async def open_capture(
    wanted: str | None,
    block_frames: int,
    bit_rate: int,
    feeds: Feeds,
    open_feed: Callable[[], Feed | None],
    packets: socket.socket,
    settings: Latest[CaptureSettings],
    reports: Latest[CaptureReport],
    tones: Latest[bytes],
) -> AsyncIterator[CardService[CaptureSettings, CaptureReport]]:
    """Hear the card whose name contains `wanted`, or the system's; encoded packets come out of `packets`' other end.

    A card that is not there is waited for.

    Raises:
        DeviceError: the light has no room for one more source, or the process cannot be started.
    """
    feed = open_feed()
    if feed is None:
        raise DeviceError("every place of a source is taken")
    rings, source = feeds.rings, feed.source
    numbers = (rings.fd, rings.slots, rings.capacity, feeds.wakes.fd, source.slot, source.generation, packets.fileno())
    card = wanted or reports.value.card.chosen or ""
    command = (*CAPTURE, card, str(block_frames), str(bit_rate), *map(str, numbers))
    try:
        async with open_child("line-in", command, (rings.fd, feeds.wakes.fd, packets.fileno()), _QUIT) as process:
            yield CardService("line-in", process, settings, reports, tones)
    finally:
        feed.close()
        reports.set(CaptureReport(_left(reports.value.card)))


@asynccontextmanager
async def open_playback(
    wanted: str | None,
    block_frames: int,
    packets: socket.socket,
    settings: Latest[PlaybackSettings],
    reports: Latest[PlaybackReport],
) -> AsyncIterator[CardService[PlaybackSettings, PlaybackReport]]:
    """Play what comes into `packets`' other end, on the card whose name contains `wanted`, or the system's.

    Raises:
        DeviceError: the process cannot be started.
    """
    card = wanted or reports.value.card.chosen or ""
    command = (*PLAYBACK, card, str(block_frames), str(packets.fileno()))
    try:
        async with open_child("line-out", command, (packets.fileno(),), _QUIT) as process:
            yield CardService("line-out", process, settings, reports)
    finally:
        reports.set(PlaybackReport(_left(reports.value.card)))


def _left(card: CardReport) -> CardReport:
    """What is still to be said of a card once its process has ended."""
    return CardReport(problem=card.problem, chosen=card.chosen)
