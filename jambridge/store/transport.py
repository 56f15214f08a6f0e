"""The HTTP connections to a room's database: few, bounded in size, and counted for the status."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx

MOST_CONNECTIONS = 4
MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Recent sessions of the largest size allowed; more is hostile."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Connections in use and at rest, and how many requests ran out of time so far."""

    active: int = 0
    idle: int = 0
    timeouts: int = 0


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise httpx.ReadError(f"an answer of more than {MAX_ANSWER_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class BoundedTransport(httpx.AsyncBaseTransport):
    """At most MOST_CONNECTIONS; an answer that is too long is broken off, compressed ones are not asked for."""

    def __init__(self) -> None:
        limits = httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_CONNECTIONS)
        self._inner = httpx.AsyncHTTPTransport(limits=limits, retries=0)

    def connections(self) -> tuple[int, int]:
        """In use and at rest."""
        known = self._inner._pool.connections  # noqa: SLF001  httpx does not show its pool
        idle = sum(connection.is_idle() for connection in known)
        return len(known) - idle, idle

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            await response.aclose()
            raise httpx.ReadError("a compressed answer that was not asked for")
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  the inner transport is asynchronous
        response.stream = _BoundedStream(response.stream)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()
