"""The hub on its two ports: http for bridges and listeners, https for browsers with a microphone."""

import asyncio
import datetime as dt
import errno
import logging
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from jambridge import __version__
from jambridge.addresses import local_addresses
from jambridge.door.gate import Gate
from jambridge.door.handshakes import open_handshakes
from jambridge.door.listener import GuardedProtocol, Listener, attending
from jambridge.door.rates import Rates
from jambridge.errors import LinkError
from jambridge.http_log import HttpLog
from jambridge.hub import certificate, cors, origins
from jambridge.hub.certificate import Certificate
from jambridge.hub.database import Database
from jambridge.hub.guest import MOVED
from jambridge.hub.http_broadcast import HttpBroadcast
from jambridge.hub.limits import Limits, Patience
from jambridge.hub.live import LiveStates
from jambridge.hub.pages import Pages
from jambridge.hub.relay import Relay
from jambridge.hub.rest_service import RestService
from jambridge.hub.room_log import RoomLog
from jambridge.hub.rooms import Rooms
from jambridge.hub.socketio_service import SocketIo
from jambridge.store import schema

log = logging.getLogger(__name__)

WEBSOCKET_PATH = "/realtime/v1/websocket"
_KEEP_ALIVE_S = 10.0
_TLS_HANDSHAKE_S = 5.0
_REQUESTS_PER_SOCKET = 4  # plain connections that a browser opens beside each websocket
_LOOK_AT_NAMES_S = 30.0
_BACKLOG = 64
_TELLING_S = 0.2


@dataclass(frozen=True, slots=True)
class HubOptions:
    """Port 0 takes any free one.

    `allowed_origins` are pages of other hosts that may connect, beside the app's own: `origins.DEFAULT` names
    http://localhost:5173, where its developers run it, and https://jam-dev.audiolux.app, where it is published.
    """

    hub_id: str
    state_dir: Path
    bind: str = "0.0.0.0"
    port: int = 3001
    tls_port: int = 3443
    max_connections: int = 200
    max_per_address: int = 16
    allowed_origins: tuple[str, ...] = ()
    database: Path | None = None
    """Where sessions are kept; None is the daemon's file in the state directory."""
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)


class HubServer:
    """A hub that listens."""

    def __init__(self, options: HubOptions, issued: Certificate) -> None:
        self._options = options
        self._issued = issued
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(issued.file)
        self._sockets = Gate(options.max_connections, options.max_per_address)
        self._plain = Gate(
            options.max_connections * _REQUESTS_PER_SOCKET, options.max_per_address * _REQUESTS_PER_SOCKET
        )
        self._volume = Rates(options.limits.address_byte_rate, options.limits.address_byte_burst)
        # A prefix of its own: references must not repeat after a restart.
        prefix = secrets.token_urlsafe(6)
        references = iter(range(1, 1 << 62))
        self._rooms = Rooms(options.limits, lambda: f"{prefix}{next(references):x}", RoomLog().tell)
        self._relay = Relay(self._rooms, self._sockets, options.limits, options.patience)
        self._database = Database(options.database or schema.database_path(None, options.state_dir))
        self._rest = RestService(self._database)
        self._live = LiveStates(self._database)
        self._socketio = SocketIo(self._relay, lambda: self._rooms.sizes, self._sockets, self._live, options.patience)
        self._pages = Pages()
        self._http_log = HttpLog(__name__)
        self._started_s = time.monotonic()
        self.port = self.tls_port = 0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate that browsers see, in hexadecimal."""
        return self._issued.fingerprint

    async def run(self) -> None:
        """Keep the certificate true to the machine's names, and what rooms agreed on, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._live.run())
            group.create_task(self._follow_names())

    async def send_to(self, page: str) -> None:
        """Tell everybody that the hub is at `page` from now on, and give it the time to arrive."""
        self._relay.tell_all(MOVED, {"page": page})
        await asyncio.sleep(_TELLING_S)

    async def _follow_names(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AT_NAMES_S)
            try:
                issued = issue(self._options)
            except OSError as exc:
                log.warning("certificate not renewed error=%s", exc)
                continue
            if issued.fingerprint != self._issued.fingerprint:
                self._tls.load_cert_chain(issued.file)
                self._issued = issued

    @asynccontextmanager
    async def serving(self, plain: socket.socket, secure: socket.socket) -> AsyncIterator[None]:
        """Serve http and https on bound sockets, which are this hub's from now on; leaving sends everybody away."""
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=self._http_log,
            keepalive_timeout=_KEEP_ALIVE_S,
            shutdown_timeout=0.1,
        )
        await runner.setup()
        inner, patience = runner.server, self._options.patience
        assert inner is not None  # noqa: S101  set up above

        def guarded() -> GuardedProtocol:
            return GuardedProtocol(inner(), patience.first_request_s, patience.unread_s, self._volume)

        self.port, self.tls_port = plain.getsockname()[1], secure.getsockname()[1]
        try:
            listener = await asyncio.get_running_loop().create_server(
                guarded, sock=Listener(plain, self._plain), backlog=_BACKLOG
            )
            with closing(listener):
                async with open_handshakes(Listener(secure, self._plain), self._tls, guarded, _TLS_HANDSHAKE_S):
                    yield
        finally:
            await runner.cleanup()
            self._database.close()

    def _application(self) -> web.Application:
        guard = cors.guard(self._allows, self._knows, self._relay.dropped)
        application = web.Application(client_max_size=0, middlewares=[attending(self._plain), guard])
        application.add_routes(
            [
                web.get(WEBSOCKET_PATH, self._websocket),
                web.get("/healthz", self._health),
                web.get("/authority.crt", self._authority),
                *self._rest.routes(),
                *self._socketio.routes(),
                *HttpBroadcast(self._relay, self._options.limits).routes(),
                *self._pages.routes(),
            ]
        )
        application.on_shutdown.append(self._close_sockets)  # else the shutdown waits for them
        return application

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if not request.query.get("apikey"):
            raise web.HTTPUnauthorized(text="An apikey is missing; any will do.\n")
        if not self._allows(request.headers.get("Origin"), request.host):
            self._relay.dropped["foreign-origin"] += 1
            raise web.HTTPForbidden(text="Pages of other hosts may not connect; see hub.allowed_origins.\n")
        return await self._relay.serve(request)

    def _allows(self, origin: str | None, host: str) -> bool:
        return origins.allowed(origin, host, self._issued.names, self._options.allowed_origins)

    def _knows(self, host: str) -> bool:
        return origins.host_known(host, self._issued.names, self._options.allowed_origins)

    async def _health(self, _request: web.Request) -> web.StreamResponse:
        sizes = self._rooms.sizes
        return web.json_response(
            {
                "hub_id": self._options.hub_id,
                "version": __version__,
                "uptime_s": round(time.monotonic() - self._started_s, 1),
                "port": self.port,
                "tls_port": self.tls_port,
                "sockets": self._relay.open,
                "socketio": self._socketio.open,
                "rooms": len(sizes),
                "members": sum(sizes.values()),
                "connections": self._relay.connections,
                "frames": self._relay.frames,
                "relayed": self._rooms.relayed,
                "refused": self._sockets.refused + self._plain.refused,
                "displaced": self._plain.displaced,
                "cut_off": self._volume.refused,
                "bad_requests": self._http_log.bad_requests,
                "rest": {"requests": self._rest.requests, "refused": dict(self._rest.refused)},
                "dropped": dict(self._relay.dropped + self._rooms.dropped + self._socketio.dropped),
            },
            headers={"Cache-Control": "no-store"},
        )

    async def _authority(self, _request: web.Request) -> web.StreamResponse:
        """For guests who want to trust this box once instead of clicking through a warning, as iOS needs it."""
        return web.Response(body=self._issued.authority, content_type="application/x-x509-ca-cert")

    async def _close_sockets(self, _application: web.Application) -> None:
        await asyncio.gather(self._relay.close(), self._socketio.close())


def issue(options: HubOptions) -> Certificate:
    """The certificate for the names that this machine has now.

    Raises:
        OSError: the state directory cannot be written.
    """
    names = certificate.names_of(socket.gethostname(), local_addresses())
    return certificate.ensure(options.state_dir, names, dt.datetime.now(dt.UTC))


@asynccontextmanager
async def open_hub(options: HubOptions) -> AsyncIterator[HubServer]:
    """Yield a hub that listens.

    Raises:
        LinkError: a port is in use, or the address is not ours.
        OSError: the state directory cannot be written.
    """
    with (
        _bound(options.bind, options.port) as plain,
        _bound(options.bind, options.tls_port) as secure,
    ):
        hub = HubServer(options, issue(options))
        async with hub.serving(plain, secure):
            yield hub


def _bound(bind: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family, dualstack_ipv6=bind == "::")
    except OSError as exc:
        raise LinkError(f"cannot listen on {bind} port {port}: {_reason(exc)}") from exc


def _reason(exc: OSError) -> str:
    match exc.errno:
        case errno.EADDRINUSE:
            return "another program uses it; stop that, or set hub.port and hub.tls_port to free ones"
        case errno.EACCES:
            return "ports below 1024 are root's; set hub.port and hub.tls_port higher"
        case errno.EADDRNOTAVAIL:
            return "this machine has no such address; set hub.bind to one of its own"
    return exc.strerror or str(exc)
