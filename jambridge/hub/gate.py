"""How many connections the hub holds, counted before a byte of theirs is read.

aiohttp bounds neither the number of connections nor the time that a first request may take, and asyncio tells of a TLS
connection only after its handshake. So they are counted where they are accepted, descriptor by descriptor.
"""

import asyncio
import errno
import logging
import os
import socket
import time
from collections import Counter
from contextlib import suppress
from typing import Any, Self

from jambridge.hub.limits import Patience
from jambridge.hub.rates import Rates

log = logging.getLogger(__name__)

_SAY_AGAIN_S = 60.0
_REFUSED_AT_ONCE = 64
_END_OF_HEAD = b"\r\n\r\n"


class Gate:
    """Counts open connections by address. Pure."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._open: Counter[str] = Counter()
        self.refused = 0

    @property
    def open(self) -> int:
        return self._open.total()

    def enter(self, address: str) -> bool:
        """Count one more, or refuse it."""
        if self.open >= self._most or self._open[address] >= self._most_per_address:
            self.refused += 1
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]


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

    def accept(self) -> tuple[socket.socket, Any]:
        """The next that passes; who is refused must not make the others wait for a turn of the loop each."""
        for _ in range(_REFUSED_AT_ONCE):
            accepted, address = self._next()
            if self._gate.enter(address[0]):
                return _Counted.of(accepted, self._gate, address[0]), address
            accepted.close()
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


class _Counted(socket.socket):
    """A connection, counted until it is closed."""

    _gate: Gate | None = None
    _address = ""

    @classmethod
    def of(cls, accepted: socket.socket, gate: Gate, address: str) -> Self:
        counted = cls(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        counted._gate, counted._address = gate, address
        return counted

    def close(self) -> None:
        if self._gate is not None:
            self._gate.leave(self._address)
            self._gate = None
        super().close()


def _spare_descriptor() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


class GuardedProtocol(asyncio.Protocol):
    """An HTTP connection that has a while to send its first request and to read what waits for it.

    What it sends, by whichever door, is taken from its address's allowance of bytes; beyond that it is cut off.
    """

    def __init__(self, inner: asyncio.Protocol, patience: Patience, volume: Rates) -> None:
        self._inner = inner
        self._patience = patience
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
        self._deadline = asyncio.get_running_loop().call_later(self._patience.first_request_s, transport.abort)
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
        self._unread = asyncio.get_running_loop().call_later(self._patience.unread_s, self._transport.abort)
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
