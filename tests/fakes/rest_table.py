"""The table `sessions` as PostgREST serves it, as far as the store asks, and with everything that can go wrong.

What it answers when nothing goes wrong is compared with a real PostgREST in tests/store/postgrest.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from jambridge.store.remote import Endpoint
from jambridge.strict_json import JsonObject

_REVISION = "state->metadata->>revision"


class RestTable:
    def __init__(self) -> None:
        self.rows: dict[str, JsonObject] = {}
        self.requests: list[str] = []
        self.silent = False
        """Answer nothing from now on."""
        self.answer: tuple[int, bytes] | None = None
        """Answer this, whatever is asked."""
        self.lose_answer = False
        """Do what is asked once, but break the connection instead of answering."""
        self.deletable = True
        self.before_write: Callable[[], None] = lambda: None
        """Somebody else, between our reading and our writing."""
        self.endpoint = Endpoint("", "public")
        self._ended = asyncio.Event()

    def put(self, session_id: str, state: JsonObject) -> None:
        created_at = datetime.now(UTC).isoformat()
        self.rows.setdefault(session_id, {"id": session_id, "created_at": created_at})["state"] = state

    def state(self, session_id: str) -> Any:
        return self.rows[session_id]["state"] if session_id in self.rows else None

    @asynccontextmanager
    async def open(self, port: int = 0) -> AsyncIterator["RestTable"]:
        app = web.Application(client_max_size=2**20)
        app.router.add_route("*", "/rest/v1/sessions", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.endpoint = Endpoint(f"http://127.0.0.1:{runner.addresses[0][1]}", "public")
        try:
            yield self
        finally:
            self._ended.set()
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.method)
        if self.silent:
            await self._ended.wait()
        if self.answer is not None:
            status, body = self.answer
            return web.Response(status=status, body=body, content_type="application/json")
        status, rows = await self._act(request)
        if self.lose_answer and request.method != "GET":
            self.lose_answer = False
            assert request.transport is not None
            request.transport.close()
        return web.json_response(rows, status=status)

    async def _act(self, request: web.Request) -> tuple[int, Any]:
        if request.method in ("POST", "PATCH"):
            body = json.loads(await request.text())
            self.before_write()
            return self._insert(body) if request.method == "POST" else self._update(request, body)
        if request.method == "DELETE":
            gone = self._matching(request) if self.deletable else []
            for row in gone:
                del self.rows[row["id"]]
            return 200, gone
        found = self._matching(request)
        if "order" in request.query:
            assert request.query["order"] == "created_at.desc"
            found.sort(key=lambda row: str(row["created_at"]), reverse=True)
        return 200, found[: int(request.query.get("limit", 1000))]

    def _insert(self, body: JsonObject) -> tuple[int, Any]:
        if body["id"] in self.rows:
            return 409, {"code": "23505", "message": "duplicate key value", "details": None, "hint": None}
        self.put(body["id"], body["state"])
        return 201, [self.rows[body["id"]]]

    def _update(self, request: web.Request, body: JsonObject) -> tuple[int, Any]:
        changed = self._matching(request)
        for row in changed:
            row["state"] = body["state"]
        return 200, changed

    def _matching(self, request: web.Request) -> list[JsonObject]:
        rows = list(self.rows.values())
        for column, condition in request.query.items():
            if column == "id":
                rows = [row for row in rows if f"eq.{row['id']}" == condition]
            elif column == _REVISION:
                rows = [row for row in rows if _condition(row["state"]) == condition]
        return rows


def _condition(state: JsonObject) -> str:
    revision = state.get("metadata", {}).get("revision")
    return "is.null" if revision is None else f"eq.{revision}"
