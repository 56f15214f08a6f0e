"""`/events`: the status as it changes, and the strips as they shine, to who looks. Nobody looking: nothing computed.

Server-sent events: `status` is the whole of /status; `patch`, a JSON merge patch (RFC 7396), is what has changed of it
since, `uptime_s` and `clock` left out; `strips` is {mac: colours in base64, three bytes each}, of those that changed.
Who reads slowly misses what is between, and is told the newest.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, Generic, TypeVar

from aiohttp import web

from jambridge.edges import Latest, values
from jambridge.status import access, merge_patch
from jambridge.strict_json import JsonObject

log = logging.getLogger(__name__)

T = TypeVar("T")

PERIOD_S = 0.15
MOST_VIEWERS = 16
_UNREAD_S = 20.0
_SAY_S = 10.0  # a comment then: a connection that is gone is noticed
_RESTLESS = ("uptime_s", "clock")
_NOTHING: Mapping[str, str] = {}
_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Live:
    """It sets `watched` while anybody looks; `strips` are then what each shows, by MAC.

    What changes of `urgent` is told at once, all else within `period_s`.
    """

    def __init__(
        self,
        snapshot: Callable[[], JsonObject],
        watched: Latest[bool],
        strips: Latest[Mapping[str, str]],
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
        self._patches = _Told(_patch)
        self._colours = _Told(_colours)

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
                seen = self._urgent.value
                self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._period_s):
                        await self._urgent.changed(seen)

    async def _follow_strips(self) -> None:
        async for _ in values(self._strips):
            self._tell()

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
            await response.prepare(request)
            async for text in self._told():
                async with asyncio.timeout(_UNREAD_S):
                    await response.write(text)
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._leave()
        return response

    async def _told(self) -> AsyncIterator[bytes]:
        """All that one viewer is told."""
        status, shown = self._status, _NOTHING
        yield b"retry: 1000\n" + _event("status", status)
        while not self._ended:
            news = self._news
            told = self._patches.between(status, self._status) + self._colours.between(shown, self._strips.value)
            status, shown = self._status, self._strips.value
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
            self._strips.set({})
            self._status = {}
            log.debug("nobody looks")

    def _look(self) -> None:
        self._status = self._snapshot()
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class _Told(Generic[T]):
    """What is told of a change, made once for all who have seen the same."""

    def __init__(self, make: Callable[[T, T], bytes]) -> None:
        self._make = make
        self._made: tuple[T, T, bytes] | None = None

    def between(self, before: T, after: T) -> bytes:
        """Empty where nothing has changed."""
        if before is after:
            return b""
        if self._made is None or self._made[0] is not before or self._made[1] is not after:
            self._made = (before, after, self._make(before, after))
        return self._made[2]


def _patch(before: JsonObject, after: JsonObject) -> bytes:
    patch = merge_patch.between(before, after)
    for name in _RESTLESS:
        patch.pop(name, None)
    return _event("patch", patch) if patch else b""


def _colours(before: Mapping[str, str], after: Mapping[str, str]) -> bytes:
    changed = {mac: rgb for mac, rgb in after.items() if before.get(mac) != rgb}
    return _event("strips", changed) if changed else b""


def _event(name: str, content: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n".encode()
