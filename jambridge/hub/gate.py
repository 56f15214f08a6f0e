"""How many connections the hub holds, counted before a byte of theirs is read.

aiohttp bounds neither the number of connections nor the time that a first request may take.
"""

import asyncio
from collections import Counter

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


class GuardedProtocol(asyncio.Protocol):
    """An HTTP connection that had to pass the gate, and has a while to send its first request."""

    def __init__(self, inner: asyncio.Protocol, gate: Gate, first_request_s: float) -> None:
        self._inner = inner
        self._gate = gate
        self._first_request_s = first_request_s
        self._address: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  both TCP and TLS give one
        address = peer_address(transport)
        if not self._gate.enter(address):
            transport.abort()
            return
        self._address = address
        self._deadline = asyncio.get_running_loop().call_later(self._first_request_s, transport.abort)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._address is None:
            return
        if self._deadline is not None:
            self._await_head(data)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._address is None else self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._address is None:
            return
        self._gate.leave(self._address)
        self._address = None
        self._stop_waiting()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
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


def peer_address(transport: asyncio.BaseTransport | None) -> str:
    peer = transport.get_extra_info("peername") if transport is not None else None
    return str(peer[0]) if peer else "gone"
