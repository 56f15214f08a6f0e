"""The transports of python-socketio, replaced where the library trusts its clients.

Its websocket compresses, so that a bomb fits through, and hands on whatever comes; its POST reads as long as it takes.
Ours look at each packet first (`socketio_wire`), and bound what one connection may send.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import socketio
from aiohttp import WSMsgType, web

from jambridge.errors import WireError
from jambridge.hub import body, socketio_wire
from jambridge.room.flood import TokenBucket

PATH = "/socket.io/"
_RATE, _BURST = 50.0, 200.0
_BODY: web.RequestKey[bytes] = web.RequestKey("body", bytes)


def make_server(dropped: Counter[str], ping_interval_s: float, ping_timeout_s: float) -> Any:
    """The library's server with these transports; `dropped` counts what was refused."""
    server = socketio.AsyncServer(
        async_mode="aiohttp",
        async_handlers=False,  # one after the other, and while one is busy its client is not read
        cors_allowed_origins=[],  # asked before, for all that is not a page
        max_http_buffer_size=socketio_wire.MAX_BYTES,
        ping_interval=ping_interval_s,
        ping_timeout=ping_timeout_s,
        http_compression=False,
    )

    def websocket(handler: Callable[[Any], Awaitable[None]], _server: object) -> "_WebSocket":
        return _WebSocket(handler, dropped)

    translate = server.eio._async["translate_request"]  # noqa: SLF001  the library has no other way to replace them

    def translated(request: web.Request) -> dict[str, Any]:
        environ: dict[str, Any] = translate(request)
        if (content := request.get(_BODY)) is not None:
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = _Whole(content), str(len(content))
        return environ

    server.eio._async = {**server.eio._async, "websocket": websocket, "translate_request": translated}  # noqa: SLF001
    return server


async def read_body(request: web.Request) -> None:
    """Take the packets of a POST, checked, to where the library will look for them.

    Raises:
        WireError: they are not to be passed on, or do not come.
    """
    content = await body.read(request, socketio_wire.MAX_BYTES)
    try:
        socketio_wire.check_payload(content.decode())
    except UnicodeDecodeError as exc:
        raise WireError("no packets") from exc
    request[_BODY] = content


class _Whole:
    """A body that was read already, as the library reads one."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self, _length: int) -> bytes:
        return self._body


class _WebSocket:
    """What the library calls a websocket: called once, then waited on and sent to."""

    def __init__(self, handler: Callable[[Any], Awaitable[None]], dropped: Counter[str]) -> None:
        self._handler = handler
        self._dropped = dropped
        self._bucket = TokenBucket(_RATE, _BURST)
        self._socket = web.WebSocketResponse(timeout=1.0, compress=False, max_msg_size=socketio_wire.MAX_BYTES)
        self._transport: asyncio.Transport | None = None

    async def __call__(self, environ: dict[str, Any]) -> web.StreamResponse:
        request: web.Request = environ["aiohttp.request"]
        await self._socket.prepare(request)
        self._transport = request.transport
        try:
            await self._handler(self)
        finally:
            if not self._socket.closed and self._transport is not None:
                self._transport.abort()  # nobody reads it any more
        return self._socket

    async def wait(self) -> str:
        """The next packet; OSError, which the library understands, where there is none or it is refused."""
        message = await self._socket.receive()
        if message.type is not WSMsgType.TEXT:
            raise OSError("the websocket has ended")
        if not self._bucket.take(time.monotonic()):
            self._dropped["socketio-flood"] += 1
            raise OSError("too many packets")
        try:
            socketio_wire.check(message.data)
        except WireError as exc:
            self._dropped["socketio-malformed"] += 1
            raise OSError(str(exc)) from exc
        text: str = message.data
        return text

    async def send(self, packet: str | bytes) -> None:
        if isinstance(packet, str):
            await self._socket.send_str(packet)
        else:
            await self._socket.send_bytes(packet)

    async def close(self) -> None:
        await self._socket.close()
