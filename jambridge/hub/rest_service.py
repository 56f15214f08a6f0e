"""`/rest/v1/sessions`: the subset of PostgREST that the supabase clients use, over the box's own database."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from aiohttp import web

from jambridge.door.listener import peer_address
from jambridge.door.rates import Rates
from jambridge.errors import DeviceError
from jambridge.hub import body, rest, rest_query, sessions
from jambridge.hub.body import BodyError
from jambridge.hub.database import Answer, BusyError, Database
from jambridge.hub.rest import Wishes
from jambridge.hub.rest_query import Query, RefusedError
from jambridge.hub.sessions import Found
from jambridge.store.sqlite import SqliteStore

_PATIENCE_S = 8.0
_RATE, _BURST = 20.0, 120.0  # a box writes twice a minute, a page that lists sessions asks once


class RestService:
    """Answers as PostgREST does, errors included."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rates = Rates(_RATE, _BURST)
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.requests = 0
        self.refused: Counter[str] = Counter()

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.route("*", "/rest/v1/{table:[^/]{1,64}}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        try:
            return await self._answered(request)
        except RefusedError as exc:
            self.refused[exc.code] += 1
            return _json(exc.status, json.dumps(exc.body).encode(), exc.content_range)
        except DeviceError as exc:
            self.refused["database"] += 1
            said = {"code": "53000", "details": None, "hint": None, "message": str(exc)}
            return _json(503, json.dumps(said).encode())

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        if not request.headers.get("apikey") and not request.query.get("apikey"):
            raise RefusedError(401, "PGRST301", "No API key found in request", hint="Any apikey will do.")
        if not self._rates.take(peer_address(request.transport), time.monotonic()):
            raise RefusedError(429, "53400", "Too many requests", hint="Try again in a second.")
        if (table := request.match_info["table"]) != "sessions":
            raise RefusedError(404, "42P01", f'relation "public.{table}" does not exist')
        wishes = rest.wishes(request.headers.getall("Prefer", ()), request.headers.get("Accept", ""))
        query = rest_query.parse(request.rel_url.raw_query_string)
        match request.method:
            case "GET" | "HEAD":
                return await self._read(request, query, wishes)
            case "POST":
                return await self._insert(request, query, wishes)
            case "PATCH":
                return await self._change(request, query, wishes)
            case "DELETE":
                return await self._delete(request, query, wishes)
        raise RefusedError(405, "PGRST117", f"Unsupported HTTP method: {request.method[:16]}")

    async def _read(self, request: web.Request, query: Query, wishes: Wishes) -> web.StreamResponse:
        found, shown = await self._call(request, lambda store: _read(store, query, wishes))
        is_part = found.total is not None and len(found.rows) < found.total
        span = rest.content_range(len(found.rows), query.offset, found.total)
        return _json(206 if is_part else 200, shown, span, single=wishes.single)

    async def _insert(self, request: web.Request, query: Query, wishes: Wishes) -> web.StreamResponse:
        now = datetime.now(UTC)
        rows = rest.inserted(await _body(request), query.columns, now, merges=wishes.on_duplicate == "merge")
        found = await self._call(request, lambda store: sessions.insert(store, rows, wishes.on_duplicate, now))
        return _written(201 if found.created else 200, found, query, wishes, found.total)

    async def _change(self, request: web.Request, query: Query, wishes: Wishes) -> web.StreamResponse:
        rest.must_name_rows(query, "UPDATE")
        row, now = rest.patched(await _body(request), query.columns), datetime.now(UTC)
        found = await self._call(request, lambda store: sessions.change(store, query, row, now, single=wishes.single))
        status = 200 if wishes.representation else 204
        return _written(status, found, query, wishes, len(found.rows), ranged=True)

    async def _delete(self, request: web.Request, query: Query, wishes: Wishes) -> web.StreamResponse:
        rest.must_name_rows(query, "DELETE")
        found = await self._call(request, lambda store: sessions.delete(store, query, single=wishes.single))
        return _written(200 if wishes.representation else 204, found, query, wishes, len(found.rows))

    async def _call(self, request: web.Request, work: Callable[[SqliteStore], Answer]) -> Answer:
        """One at a time of an address: who asks what takes long keeps only itself waiting."""
        lane = self._lanes.setdefault(peer_address(request.transport), asyncio.Lock())
        try:
            async with asyncio.timeout(_PATIENCE_S), lane:
                return await self._database.call(work)
        except TimeoutError:
            raise BusyError("too many requests of this address wait for the database") from None


def _read(store: SqliteStore, query: Query, wishes: Wishes) -> tuple[Found, bytes]:
    found = sessions.read(store, query, counted=wishes.counted)
    if found.total is not None and query.offset and query.offset >= found.total:
        details = f"An offset of {query.offset} was requested, but there are only {found.total} rows."
        span = rest.content_range(0, 0, found.total)
        raise RefusedError(416, "PGRST103", "Requested range not satisfiable", details=details, content_range=span)
    return found, rest.answer(found.rows, query.outputs, single=wishes.single)


def _written(
    status: int, found: Found, query: Query, wishes: Wishes, total: int | None, *, ranged: bool = False
) -> web.StreamResponse:
    span = rest.content_range(len(found.rows) if ranged else 0, 0, total if wishes.counted else None)
    if not wishes.representation:
        return _json(status, b"", span)
    return _json(status, rest.answer(found.rows, query.outputs, single=wishes.single), span, single=wishes.single)


def _json(status: int, content: bytes, span: str | None = None, *, single: bool = False) -> web.Response:
    kind = "application/vnd.pgrst.object+json" if single else "application/json"
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if content:
        headers["Content-Type"] = f"{kind}; charset=utf-8"
    if span is not None:
        headers["Content-Range"] = span
    return web.Response(status=status, body=content, headers=headers)


async def _body(request: web.Request) -> bytes:
    try:
        return await body.read(request, rest.MAX_BODY)
    except BodyError as exc:
        raise RefusedError(exc.status, "54000" if exc.status == 413 else "PGRST102", str(exc)) from None  # noqa: PLR2004
