"""The local HTTP: health, the status, and whatever routes it is given. Bounded, and closed to whom it is not for."""

import asyncio
import hashlib
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from jambridge.door.gate import Gate
from jambridge.door.listener import GuardedProtocol, Listener, attending
from jambridge.door.rates import Rates
from jambridge.errors import DeviceError
from jambridge.http_log import HttpLog
from jambridge.status import access, metrics, openapi
from jambridge.status.access import Access
from jambridge.status.live import Live
from jambridge.strict_json import JsonObject

log = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MAX_REQUEST_BYTES = 64 * 1024
_MOST_CONNECTIONS = 128
_MOST_PER_ADDRESS = 48  # a browser opens six a page
_BYTES_PER_S, _BYTES_AT_ONCE = 256 * 1024, 1024 * 1024
_KEEP_ALIVE_S = 15.0
_BACKLOG = 64
_FIRST_REQUEST_S, _UNREAD_S = 5.0, 20.0
_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Server": "jambridge"}


class StatusServer:
    """Serves what `snapshot` says at the moment of the request."""

    def __init__(
        self,
        snapshot: Callable[[], JsonObject],
        faults: Callable[[], Mapping[str, str]],
        is_ready: Callable[[], bool],
        allowed: Access,
        live: Live,
        routes: Sequence[web.AbstractRouteDef] = (),
    ) -> None:
        self._snapshot = snapshot
        self._faults = faults
        self._is_ready = is_ready
        self._access = allowed
        self._live = live
        self._routes = routes
        self.http_log = HttpLog(__name__)
        self.gate = Gate(_MOST_CONNECTIONS, _MOST_PER_ADDRESS)

    def application(self) -> web.Application:
        application = web.Application(
            middlewares=[attending(self.gate), self._guard], client_max_size=_MAX_REQUEST_BYTES
        )
        application.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/status", self._status),
                web.get("/events", self._live.events),
                web.get("/metrics", self._metrics),
                web.get("/openapi.json", self._description),
                *self._routes,
            ]
        )
        application.on_response_prepare.append(_add_headers)
        application.on_shutdown.append(self._live.end)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Only who may ask is heard, and who made a mistake is told so in JSON."""
        own, peer = (_address(request, name) for name in ("sockname", "peername"))
        host = request.headers.get("Host", "")
        if not self._access.knows(host, own):
            return _refused(421, f"this server is not {host[:100]!r} (http.allowed_hosts)")
        forwarded = request.headers.get("Forwarded") or request.headers.get("X-Forwarded-For")
        reason = self._access.refusal(
            request.path,
            is_near=access.is_near(peer, own, forwarded),
            authorization=request.headers.get("Authorization"),
            cookie=request.cookies.get(access.COOKIE),
        )
        if reason:
            return _refused(401, reason, {"WWW-Authenticate": 'Bearer realm="jambridge"'})
        try:
            return await handler(request)
        except web.HTTPClientError as exc:
            allow = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else None
            return _refused(exc.status, exc.reason, allow)

    async def _healthz(self, _: web.Request) -> web.Response:
        faults = self._faults()
        text = "\n".join(f"{name}: {fault}" for name, fault in faults.items()) or "ok"
        return web.Response(status=503 if faults else 200, text=text + "\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self._is_ready()
        return web.Response(status=200 if ready else 503, text="in the room\n" if ready else "not in the room\n")

    async def _status(self, request: web.Request) -> web.Response:
        snapshot = self._snapshot()
        lasting: dict[str, Any] = {**snapshot, "uptime_s": None, "clock": None}
        tag = hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:32]
        headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
        if tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        return web.json_response(snapshot, headers=headers)

    async def _metrics(self, _: web.Request) -> web.Response:
        text = metrics.text(self._snapshot(), self._live.viewers, self.http_log.bad_requests)
        return web.Response(body=text, headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _description(self, _: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(openapi.document))  # it takes 0.06 s

    async def run(self) -> None:
        """Serve until cancelled; aiohttp does the work on its own."""
        await self._live.run()


@asynccontextmanager
async def open_status(server: StatusServer, bind: str, port: int) -> AsyncIterator[StatusServer]:
    """Listen.

    Raises:
        DeviceError: the port is taken or may not be used.
    """
    runner = web.AppRunner(
        server.application(),
        access_log=None,
        logger=server.http_log,
        handle_signals=False,
        auto_decompress=False,  # a small body may say a large one
        keepalive_timeout=_KEEP_ALIVE_S,
        shutdown_timeout=0.5,
    )
    await runner.setup()
    inner, volume = runner.server, Rates(_BYTES_PER_S, _BYTES_AT_ONCE)
    assert inner is not None  # noqa: S101  set up above
    listener: asyncio.Server | None = None
    try:
        listener = await asyncio.get_running_loop().create_server(
            lambda: GuardedProtocol(inner(), _FIRST_REQUEST_S, _UNREAD_S, volume),
            sock=Listener(_bound(bind, port), server.gate),
            backlog=_BACKLOG,
        )
        yield server
    finally:
        if listener is not None:
            listener.close()
        await runner.cleanup()


def _bound(bind: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family, dualstack_ipv6=bind == "::")
    except OSError as exc:
        raise DeviceError(
            f"the status page cannot listen on {bind}:{port}: {_reason(exc)} (set http.port to a free port)"
        ) from exc


def _reason(exc: OSError) -> str:
    """The kernel's words; asyncio's are many more."""
    return os.strerror(exc.errno) if exc.errno and exc.errno > 0 else str(exc)


async def _add_headers(_request: web.Request, answer: web.StreamResponse) -> None:
    for name, value in {**_HEADERS, "Cache-Control": "no-store"}.items():
        answer.headers.setdefault(name, value)


def _address(request: web.Request, name: str) -> str:
    """Ours or theirs; empty where the connection is gone."""
    found = request.transport.get_extra_info(name) if request.transport else None
    return str(found[0]) if found else ""


def _refused(status: int, reason: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"error": reason}, status=status, headers=headers)
