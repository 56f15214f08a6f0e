"""The body of a POST: ours to take, in time, of a bounded length, and one JSON object."""

import asyncio

from aiohttp import web

from jambridge import strict_json
from jambridge.errors import JambridgeError, WireError
from jambridge.status import access
from jambridge.strict_json import JsonObject

MAX_BYTES = 16 * 1024
WITHIN_S = 5.0


class RefusalError(JambridgeError):
    """Why it is not taken, with the HTTP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def body(request: web.Request) -> tuple[bytes, JsonObject]:
    """The body as it came, and what it says.

    Raises:
        RefusalError: it is not to be taken.
    """
    headers = request.headers
    if reason := access.foreign(headers.get("Origin"), headers.get("Sec-Fetch-Site"), request.host):
        raise RefusalError(403, reason)
    if request.content_type != "application/json":
        raise RefusalError(415, "the body must be application/json")
    if "Content-Encoding" in headers:
        raise RefusalError(415, "the body must not be compressed")
    try:
        async with asyncio.timeout(WITHIN_S):
            text = await request.read()
    except TimeoutError as exc:
        raise RefusalError(408, f"the body must come within {WITHIN_S:.0f} s") from exc
    except web.RequestPayloadError as exc:
        raise RefusalError(400, "the body cannot be read") from exc
    try:
        return text, strict_json.loads_object(text, MAX_BYTES)
    except WireError as exc:
        raise RefusalError(400, str(exc)) from exc
