"""The body of a request, bounded in size and time."""

import asyncio

from aiohttp import web

from jambridge.errors import WireError

_PATIENCE_S = 5.0


class BodyError(WireError):
    """There is none to be had; `status` is HTTP's word for why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def read(request: web.Request, most: int) -> bytes:
    """All of it.

    Raises:
        BodyError: it is longer than `most` bytes, takes too long, or its sender is gone.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            async for part in request.content.iter_any():
                body += part
                if len(body) > most:
                    raise BodyError(413, f"the body is longer than {most} bytes")
    except (TimeoutError, ConnectionError):
        raise BodyError(408, "the body takes too long") from None
    return bytes(body)
