"""`/events`: the status as it changes, and the strips as they shine, to who looks. Nobody looking: nothing computed.

Server-sent events: `status` is the whole of /status; `patch`, a JSON merge patch (RFC 7396), is what has changed of it
since, `uptime_s` and `clock` left out; `strips` is {mac: colours in base64, three bytes each}, whenever one changes.
Who reads slowly misses what is between, and is told the newest.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from jambridge.edges import Latest, values
from jambridge.status import access, merge_patch
from jambridge.strict_json import JsonObject

log = logging.getLogger(__name__)

PERIOD_S = 0.15
MOST_VIEWERS = 16
_SOON_S = 0.03  # what is due by then is looked at when strips are told: one packet, and everybody is woken once
_SAY_S = 10.0  # a comment then: a connection that is gone is noticed
_RESTLESS = ("uptime_s", "clock")
_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Live:
    """It sets `watched` while anybody looks; `strips` is then the JSON of what each shows, by MAC.

    What changes of `urgent` is told at once, all else within `period_s`.
    """

    def __init__(
        self,
        snapshot: Callable[[], JsonObject],
        watched: Latest[bool],
        strips: Latest[bytes],
        urgent: Latest[Any],
        period_s: float = PERIOD_S,
    ) -> None:
        self._period_s = period_s
        self._urgent = urgent
        self._watched = watched
        self._strips = strips
        self._snapshot = snapshot
        self._viewers = 0
        self._ended = False
        self._news = asyncio.Event()
        self._status: JsonObject = {}
        self._pause: asyncio.Timeout | None = None
        self._patches = _Patches()

    @property
    def viewers(self) -> int:
        return self._viewers

    async def run(self) -> None:
        """Look again and again while anybody does; for ever."""
        self._ended = False
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_looking())
            group.create_task(self._follow_strips())

    async def _keep_looking(self) -> None:
        while True:
            await self._watched.changed(seen=False)
            while self._watched.value:
                self._look()
                await self._wait()

    async def _wait(self) -> None:
        """Until what is urgent changes, at most for a period."""
        seen = self._urgent.value
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._period_s) as self._pause:
                    await self._urgent.changed(seen)
        finally:
            self._pause = None

    async def _follow_strips(self) -> None:
        async for _ in values(self._strips):
            if not self._look_early():
                self._tell()

    def _look_early(self) -> bool:
        """Look, where that is due soon, so that all is told at once."""
        pause, now = self._pause, asyncio.get_running_loop().time()
        if not self._watched.value or pause is None or pause.expired() or (pause.when() or now) - now >= _SOON_S:
            return False
        pause.reschedule(now + self._period_s)
        self._look()
        return True

    async def end(self, _application: web.Application) -> None:
        """Send every viewer away."""
        self._ended = True
        self._tell()

    async def events(self, request: web.Request) -> web.StreamResponse:
        if reason := access.foreign(request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site"), request.host):
            return web.json_response({"error": reason}, status=403)
        if self._viewers >= MOST_VIEWERS:
            said = {"error": f"{MOST_VIEWERS} look already: close a page"}
            return web.json_response(said, status=503, headers={"Retry-After": "10"})
        response = web.StreamResponse(headers=_HEADERS)
        try:
            self._enter()
            with suppress(ConnectionError):  # who does not read is cut off by the server
                await response.prepare(request)
                async for text in self._told():
                    await response.write(text)
        finally:
            self._leave()
        return response

    async def _told(self) -> AsyncIterator[bytes]:
        """All that one viewer is told."""
        status, strips = self._status, b""
        yield b"retry: 1000\n" + _event("status", _json(status))
        while not self._ended:
            news, told = self._news, b""
            if self._status is not status:
                told = self._patches.between(status, self._status)
                status = self._status
            if self._strips.value != strips:
                strips = self._strips.value
                told += _event("strips", strips) if strips else b""
            if told:
                yield told
            try:
                async with asyncio.timeout(_SAY_S):
                    await news.wait()
            except TimeoutError:
                yield b":\n\n"

    def _enter(self) -> None:
        self._viewers += 1
        if self._viewers == 1:
            self._look()
            self._watched.set(True)
            log.debug("somebody looks")

    def _leave(self) -> None:
        self._viewers -= 1
        if not self._viewers:
            self._watched.set(False)
            self._strips.set(b"")
            self._status = {}
            log.debug("nobody looks")

    def _look(self) -> None:
        self._status = self._snapshot()
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class _Patches:
    """What is told of a change, made once for all who have seen the same."""

    def __init__(self) -> None:
        self._before: JsonObject = {}
        self._after: JsonObject = {}
        self._made = b""

    def between(self, before: JsonObject, after: JsonObject) -> bytes:
        """Empty where nothing has changed."""
        if self._before is not before or self._after is not after:
            patch = merge_patch.between(before, after)
            for name in _RESTLESS:
                patch.pop(name, None)
            self._before, self._after = before, after
            self._made = _event("patch", _json(patch)) if patch else b""
        return self._made


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _event(name: str, content: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), content)
