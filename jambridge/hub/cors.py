"""Cross-origin requests (Fetch standard, "CORS protocol") to what is not a page: asked for, allowed or refused."""

from collections import Counter
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_GUARDED = ("/rest/", "/realtime/v1/api/", "/socket.io/")
_METHODS = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
_REQUEST_HEADERS = (
    "accept, accept-profile, apikey, authorization, content-profile, content-type, prefer, range, range-unit, "
    "x-client-info, x-retry-count, x-supabase-api-version"
)
_ANSWER_HEADERS = "content-range, preference-applied"
_FOREIGN = "Pages of other hosts may not connect; see hub.allowed_origins.\n"
_REBOUND = "This name is none of this hub's; see hub.allowed_origins.\n"


def guard(allows: Callable[[str | None, str], bool], knows: Callable[[str], bool], dropped: Counter[str]) -> Middleware:
    """Refuse what pages of other hosts ask, and let the allowed ones read the answers.

    Args:
        allows: whether a page of that origin (None is no page) may ask a server of that name.
        knows: whether a server name, the Host header, is this hub's: a page that was given a public name for this
            address a moment ago (DNS rebinding) sends no origin with what it reads.
        dropped: counts refusals.
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(_GUARDED):
            return await handler(request)
        origin = request.headers.get("Origin")
        if not allows(origin, request.host):
            dropped["foreign-origin"] += 1
            return web.Response(status=403, text=_FOREIGN)
        if origin is None:
            if not knows(request.host):
                dropped["foreign-host"] += 1
                return web.Response(status=421, text=_REBOUND)
            return await handler(request)
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=_permission(origin) | _preflight(request))
        try:
            answer = await handler(request)
        except web.HTTPException as exc:
            exc.headers.update(_permission(origin))
            raise
        if not answer.prepared:
            answer.headers.update(_permission(origin))
        return answer

    return guarded


def _permission(origin: str) -> dict[str, str]:
    """Named and never `*`. Without credentials: keys come in headers, and there are no cookies."""
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _ANSWER_HEADERS,
        "Vary": "Origin",
    }


def _preflight(request: web.Request) -> dict[str, str]:
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _REQUEST_HEADERS,
        "Access-Control-Max-Age": "600",
    }
    if request.headers.get("Access-Control-Request-Private-Network") == "true":
        headers["Access-Control-Allow-Private-Network"] = "true"
    return headers
