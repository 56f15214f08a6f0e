"""Connections of an HTTP server, counted before a byte of theirs is read, and none that waits for ever.

aiohttp bounds neither the number of connections nor the time that a first request may take, and asyncio tells of a TLS
connection only after its handshake. So they are counted where they are accepted, descriptor by descriptor.
"""

import asyncio
import errno
import logging
import os
import socket
import time
from contextlib import suppress
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from jambridge.door.gate import Ends, Gate
from jambridge.door.rates import Rates

log = logging.getLogger(__name__)

_SAY_AGAIN_S = 60.0
_REFUSED_AT_ONCE = 64
_QUEUE = 1024
_END_OF_HEAD = b"\r\n\r\n"


class Listener(socket.socket):
    """A bound socket that accepts what passes the gate, and closes the rest at once.

    No error of one accepting is worth a traceback, and asyncio would print many: each is a connection aborted, which it
    passes over. With no descriptor left, one that is kept for this takes the connection off the queue, where it would
    keep the loop busy.
    """

    def __init__(self, bound: socket.socket, gate: Gate) -> None:
        super().__init__(bound.family, bound.type, bound.proto, fileno=bound.detach())
        self._gate = gate
        self._spare: int | None = _spare_descriptor()
        self._said_s = -_SAY_AGAIN_S

    def listen(self, _backlog: int = 0, /) -> None:
        """With a longer queue than asyncio accepts in a turn: who finds it full tries again only after a second."""
        super().listen(_QUEUE)

    def accept(self) -> tuple["Counted", Any]:
        """The next that passes; who is refused must not make the others wait for a turn of the loop each."""
        for _ in range(_REFUSED_AT_ONCE):
            accepted, address = self._next()
            counted = Counted.of(accepted, address, self._gate)
            if self._gate.admit(counted, time.monotonic()):
                return counted, address
            counted.close()
        raise ConnectionAbortedError

    def _next(self) -> tuple[socket.socket, Any]:
        try:
            return super().accept()
        except (BlockingIOError, InterruptedError):
            raise
        except OSError as exc:
            self._fail(exc)
            raise ConnectionAbortedError from exc

    def close(self) -> None:
        self._release_spare()
        super().close()

    def _fail(self, exc: OSError) -> None:
        self._gate.refused += 1
        if time.monotonic() - self._said_s >= _SAY_AGAIN_S:
            self._said_s = time.monotonic()
            log.warning("connections cannot be accepted error=%s refused=%d", exc.strerror, self._gate.refused)
        if exc.errno not in (errno.EMFILE, errno.ENFILE):
            return
        self._release_spare()
        with suppress(OSError):
            super().accept()[0].close()
        self._spare = _spare_descriptor()

    def _release_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None


class Counted(socket.socket):
    """A connection, counted until it is closed or has to give way."""

    ends: Ends = ("", "")
    _gate: Gate | None = None

    @classmethod
    def of(cls, accepted: socket.socket, address: Any, gate: Gate) -> Self:
        ends = (accepted.getsockname(), address)
        counted = cls(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        counted.ends, counted._gate = ends, gate
        return counted

    @property
    def address(self) -> str:
        """Theirs, without the port."""
        return str(self.ends[1][0])

    def give_way(self) -> None:
        """Whoever reads it, TLS or not, sees its end and closes it."""
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._gate is not None:
            self._gate.release(self)
            self._gate = None
        super().close()


def attending(gate: Gate) -> Middleware:
    """Who is being answered need not give way; who has not sent all of its request is not being answered."""

    @web.middleware
    async def attended(request: web.Request, handler: Handler) -> web.StreamResponse:
        ends = _ends(request.transport)
        if ends is None or request.can_read_body:
            return await handler(request)
        gate.attend(ends)
        try:
            return await handler(request)
        finally:
            gate.rest(ends, time.monotonic())

    return attended


def _ends(transport: asyncio.BaseTransport | None) -> Ends | None:
    """None where it is gone."""
    if transport is None or (peer := transport.get_extra_info("peername")) is None:
        return None
    return transport.get_extra_info("sockname"), peer


def _spare_descriptor() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


class GuardedProtocol(asyncio.Protocol):
    """An HTTP connection that has a while to send its first request and to read what waits for it.

    What it sends, by whichever door, is taken from its address's allowance of bytes; beyond that it is cut off.
    """

    def __init__(self, inner: asyncio.Protocol, first_request_s: float, unread_s: float, volume: Rates) -> None:
        self._inner = inner
        self._first_request_s = first_request_s
        self._unread_s = unread_s
        self._volume = volume
        self._transport: asyncio.Transport | None = None
        self._address = ""
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  both TCP and TLS give one
        self._transport = transport
        self._address = peer_address(transport)
        self._deadline = asyncio.get_running_loop().call_later(self._first_request_s, transport.abort)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None  # noqa: S101  made before
        if not self._volume.take(self._address, time.monotonic(), len(data)):
            self._transport.abort()
            return
        if self._deadline is not None:
            self._await_head(data)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_unread()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        assert self._transport is not None  # noqa: S101  made before
        self._unread = asyncio.get_running_loop().call_later(self._unread_s, self._transport.abort)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._stop_unread()
        self._inner.resume_writing()

    def _await_head(self, data: bytes) -> None:
        seen = self._tail + data
        if _END_OF_HEAD in seen:
            self._stop_waiting()
        self._tail = seen[1 - len(_END_OF_HEAD) :]

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def peer_address(transport: asyncio.BaseTransport | None) -> str:
    peer = transport.get_extra_info("peername") if transport is not None else None
    return str(peer[0]) if peer else "gone"
