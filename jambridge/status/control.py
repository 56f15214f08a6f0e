"""What a program, or the page, may change: the room's state, volumes and lights here, the session. JSON in and out.

`If-Match` with an ETag of an older state is 409; a POST with an `Idempotency-Key` that was seen in the last 24 h is
answered as it was then, and not done again; what was refused then was not done, and is tried again. A browser's page
must be ours: its Origin is the Host it asks, and a form cannot send application/json.
"""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from aiohttp import web

from jambridge.errors import LinkError, UnavailableError, UsageError, WireError
from jambridge.status import posted
from jambridge.strict_json import JsonObject

MAX_KEY = 128
MOST_KEYS = 1000
KEYS_KEPT_S = 24 * 3600.0
MOST_SESSIONS = 100
_REFUSED = 400


class State(Protocol):
    """What is needed of the room's state."""

    @property
    def revision(self) -> int: ...

    def values(self) -> JsonObject: ...


@dataclass(frozen=True, slots=True)
class Room:
    """The room's side of each request.

    `change` takes several fields at once: WireError for a bad field or value, of which then none is applied, LinkError
    where it is not ours to change. `resume` goes on with a stored session, whose code it gives back: UsageError where
    that is none, UnavailableError where there is no such session, LinkError where it cannot be looked for.
    """

    state: Callable[[], State]
    change: Callable[[Mapping[str, object]], None]
    leave: Callable[[], None]
    sessions: Callable[[int], Awaitable[list[JsonObject]]]
    stats: Callable[[], JsonObject]
    resume: Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Adjustable:
    """Values of this box. `change` raises WireError for what makes no sense, and then changes nothing."""

    values: Callable[[], JsonObject]
    change: Callable[[JsonObject], None]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: JsonObject
    etag: str | None = None

    def sent(self) -> web.Response:
        return web.json_response(self.body, status=self.status, headers={"ETag": self.etag} if self.etag else None)


@dataclass(frozen=True, slots=True)
class _Done:
    """An answer given, and what it was given to."""

    request: str
    answer: _Answer
    at_s: float


Act = Callable[[web.Request, JsonObject], Awaitable[_Answer]]
Try = Callable[[JsonObject], JsonObject]
"""Show a pattern on one controller: WireError for what makes no sense, LinkError where it cannot be now."""


def _nothing(_wanted: JsonObject) -> None:
    raise WireError("there are no lights")


def _without_lights(_wanted: JsonObject) -> JsonObject:
    raise LinkError("there are no lights")


class Control:
    """The requests below /api. `panic` ends every note of MIDI."""

    def __init__(
        self,
        room: Room,
        volumes: Adjustable,
        monotonic: Callable[[], float] = time.monotonic,
        try_light: Try = _without_lights,
        lighting: Adjustable | None = None,
        panic: Callable[[], None] = lambda: None,
    ) -> None:
        self._room = room
        self._try_light = try_light
        self._lighting = lighting or Adjustable(dict, _nothing)
        self._panic = panic
        self._volumes = volumes
        self._monotonic = monotonic
        self._done: OrderedDict[str, _Done] = OrderedDict()
        self._is_leaving = False
        self._acting = asyncio.Lock()

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/api/state", self._state),
            web.post("/api/state", self._change),
            web.post("/api/leave", self._leave),
            web.get("/api/audio", self._audio),
            web.post("/api/audio", self._change_audio),
            web.post("/api/light/try", self._try),
            web.get("/api/light", self._light),
            web.post("/api/light", self._change_light),
            web.post("/api/midi/panic", self._silence),
            web.get("/api/sessions", self._sessions),
            web.post("/api/sessions/resume", self._resume),
            web.get("/api/stats", self._stats),
        ]

    async def _state(self, _request: web.Request) -> web.Response:
        return self._present().sent()

    async def _sessions(self, request: web.Request) -> web.Response:
        asked = request.query.get("limit", "10")
        if not (asked.isascii() and asked.isdigit() and len(asked) < 4 and 0 < int(asked) <= MOST_SESSIONS):  # noqa: PLR2004  digits
            return _refused(400, f"limit is a number from 1 to {MOST_SESSIONS}").sent()
        brief = request.query.getall("brief", ["0"])
        if brief not in (["0"], ["1"]):
            return _refused(400, "brief is 0 or 1").sent()
        try:
            found = await self._room.sessions(int(asked))
        except LinkError as exc:
            return _refused(503, str(exc)).sent()
        if brief == ["1"]:
            found = [_brief(one) for one in found]
        texts = [await asyncio.to_thread(json.dumps, one) for one in found]  # each up to a quarter of a megabyte
        return web.Response(text=f'{{"sessions": [{", ".join(texts)}]}}', content_type="application/json")

    async def _stats(self, _request: web.Request) -> web.Response:
        return _Answer(200, self._room.stats()).sent()

    async def _change(self, request: web.Request) -> web.Response:
        return await self._once(request, self._changed)

    async def _audio(self, _request: web.Request) -> web.Response:
        return _Answer(200, self._volumes.values()).sent()

    async def _change_audio(self, request: web.Request) -> web.Response:
        return await self._once(request, partial(_adjusted, self._volumes))

    async def _try(self, request: web.Request) -> web.Response:
        return await self._once(request, self._tried)

    async def _light(self, _request: web.Request) -> web.Response:
        return _Answer(200, self._lighting.values()).sent()

    async def _change_light(self, request: web.Request) -> web.Response:
        return await self._once(request, partial(_adjusted, self._lighting))

    async def _silence(self, request: web.Request) -> web.Response:
        return await self._once(request, self._silenced)

    async def _leave(self, request: web.Request) -> web.Response:
        return await self._once(request, self._left)

    async def _resume(self, request: web.Request) -> web.Response:
        return await self._once(request, self._resumed)

    async def _once(self, request: web.Request, act: Act) -> web.Response:
        """Do what a POST asks, unless it was done before."""
        try:
            text, body = await posted.body(request)
        except posted.RefusalError as exc:
            return _refused(exc.status, str(exc)).sent()
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > MAX_KEY:
            return _refused(400, f"an Idempotency-Key has at most {MAX_KEY} characters").sent()
        asked = hashlib.sha256(f"{request.path}\n".encode() + text).hexdigest()
        async with self._acting:
            if before := self._before(key):
                return (before.answer if before.request == asked else _refused(422, "this key was for another")).sent()
            answer = await act(request, body)
            if key and answer.status < _REFUSED:
                self._remember(key, _Done(asked, answer, self._monotonic()))
        return answer.sent()

    async def _changed(self, request: web.Request, body: JsonObject) -> _Answer:
        if not self._is_current(request.headers.get("If-Match", "*")):
            return _Answer(
                409, {**_object(self._room.state()), "error": "the state has changed meanwhile"}, self._tag()
            )
        if not body:
            return _refused(400, "nothing to change: give tempo, key, scale, colorMode or isPlaying")
        try:
            self._room.change(body)
        except WireError as exc:
            return _refused(400, str(exc))
        except LinkError as exc:
            return _refused(403, str(exc))
        return self._present()

    async def _silenced(self, _request: web.Request, _body: JsonObject) -> _Answer:
        self._panic()
        return _Answer(200, {})

    async def _tried(self, _request: web.Request, body: JsonObject) -> _Answer:
        try:
            return _Answer(202, self._try_light(body))
        except WireError as exc:
            return _refused(400, str(exc))
        except LinkError as exc:
            return _refused(409, str(exc))

    async def _resumed(self, _request: web.Request, body: JsonObject) -> _Answer:
        if self._is_leaving:
            return _refused(409, "the box is leaving already")
        wanted = body.get("id")
        if not isinstance(wanted, str):
            return _refused(400, "id is a session's code")
        try:
            code = await self._room.resume(wanted)
        except UsageError as exc:
            return _refused(400, str(exc))
        except UnavailableError as exc:
            return _refused(404, str(exc))
        except LinkError as exc:
            return _refused(503, str(exc))
        self._is_leaving = True
        return _Answer(202, {"resuming": code})

    async def _left(self, _request: web.Request, _body: JsonObject) -> _Answer:
        """Once: to be told twice is to end at once, without a goodbye."""
        if not self._is_leaving:
            self._is_leaving = True
            self._room.leave()
        return _Answer(202, {"leaving": True})

    def _present(self) -> _Answer:
        return _Answer(200, _object(self._room.state()), self._tag())

    def _is_current(self, condition: str) -> bool:
        """Whether If-Match holds: `*`, an ETag of ours, or the bare revision."""
        tags = {tag.strip() for tag in condition.split(",")[:8]}
        return bool(tags & {"*", self._tag(), f'"{self._room.state().revision}"'})

    def _tag(self) -> str:
        state = self._room.state()
        digest = hashlib.sha256(json.dumps(state.values(), sort_keys=True).encode()).hexdigest()[:8]
        return f'"{state.revision}-{digest}"'

    def _before(self, key: str) -> _Done | None:
        now_s = self._monotonic()
        while self._done and now_s - next(iter(self._done.values())).at_s > KEYS_KEPT_S:
            self._done.popitem(last=False)
        return self._done.get(key)

    def _remember(self, key: str, done: _Done) -> None:
        self._done[key] = done
        if len(self._done) > MOST_KEYS:
            self._done.popitem(last=False)


def _object(state: State) -> JsonObject:
    return {**state.values(), "revision": state.revision}


async def _adjusted(what: Adjustable, _request: web.Request, wanted: JsonObject) -> _Answer:
    try:
        what.change(wanted)
    except WireError as exc:
        return _refused(400, str(exc))
    return _Answer(200, what.values())


def _brief(session: JsonObject) -> JsonObject:
    kept = {name: one for name, one in session["state"].items() if name in ("music", "metadata")}
    return {**session, "state": kept}


def _refused(status: int, reason: str) -> _Answer:
    return _Answer(status, {"error": reason})
