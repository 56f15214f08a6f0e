"""The local HTTP: /healthz, /readyz, /status and control. Bounded, and closed to pages that another site opened."""

import asyncio
import hashlib
import ipaddress
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from jambridge.errors import DeviceError
from jambridge.http_log import HttpLog
from jambridge.strict_json import JsonObject

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MAX_REQUEST_BYTES = 64 * 1024


class StatusServer:
    """Serves what `snapshot` says at the moment of the request."""

    def __init__(
        self,
        snapshot: Callable[[], JsonObject],
        faults: Callable[[], Mapping[str, str]],
        is_ready: Callable[[], bool],
        allowed_hosts: frozenset[str],
        control: Sequence[web.AbstractRouteDef] = (),
    ) -> None:
        self._snapshot = snapshot
        self._faults = faults
        self._is_ready = is_ready
        self._allowed_hosts = allowed_hosts
        self._control = control
        self.http_log = HttpLog(__name__)

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._only_known_hosts], client_max_size=_MAX_REQUEST_BYTES)
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/status", self._status)
        application.add_routes(self._control)
        return application

    @web.middleware
    async def _only_known_hosts(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """A foreign page whose name was rebound to this address carries its own name in Host."""
        name = request.host.rpartition(":")[0] or request.host
        if not _is_local(name) and name.lower() not in self._allowed_hosts:
            return web.Response(status=421, text=f"this server is not {name[:100]} (http.allowed_hosts)\n")
        return await handler(request)

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
        headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        if tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        return web.json_response(snapshot, headers=headers)

    async def run(self) -> None:
        """Serve until cancelled; aiohttp does the work on its own."""
        await asyncio.Event().wait()


@asynccontextmanager
async def open_status(server: StatusServer, bind: str, port: int) -> AsyncIterator[StatusServer]:
    """Listen.

    Raises:
        DeviceError: the port is taken or may not be used.
    """
    runner = web.AppRunner(
        server.application(), access_log=None, logger=server.http_log, handle_signals=False, shutdown_timeout=0.5
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, bind, port).start()
        except OSError as exc:
            raise DeviceError(
                f"the status page cannot listen on {bind}:{port}: {_reason(exc)} (set http.port to a free port)"
            ) from exc
        yield server
    finally:
        await runner.cleanup()


def _reason(exc: OSError) -> str:
    """The kernel's words; asyncio's are many more."""
    return os.strerror(exc.errno) if exc.errno else str(exc)


def _is_local(name: str) -> bool:
    bare = name.strip("[]").lower()
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare == "localhost"
