"""The pages of the hub: the jam page and its files. The page itself explains to http why it has no microphone."""

import re
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

PAGE_FOLDER = Path(__file__).parent / "page"
JAM_PAGE = "jam.html"

_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "no-cache",
}


class Pages:
    def __init__(self, folder: Path = PAGE_FOLDER) -> None:
        self._folder = folder

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self._jam),
            web.get("/jam", self._jam),
            web.get("/jam/{code:[A-Za-z0-9-]{0,16}}", self._jam),
            web.get(r"/page/{name:[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}}", self._file),
        ]

    async def _jam(self, request: web.Request) -> web.StreamResponse:
        return send(request, (self._folder,), JAM_PAGE)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return send(request, (self._folder,), request.match_info["name"])


def send(request: web.Request, folders: Sequence[Path], name: str) -> web.StreamResponse:
    """The file `name` of the first of `folders` that has it."""
    content_type = _TYPES.get(Path(name).suffix)
    path = next((path for folder in folders if (path := folder / name).is_file()), None)
    if content_type is None or path is None:
        raise web.HTTPNotFound(text="There is no such page.\n")
    return web.FileResponse(path, headers=_headers(request) | {"Content-Type": f"{content_type}; charset=utf-8"})


def _headers(request: web.Request) -> dict[str, str]:
    """What keeps the page to itself: scripts, styles and connections are the hub's own."""
    host = _host(request)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
        "font-src 'self'; manifest-src 'self'; worker-src 'self'; "
        f"connect-src 'self' ws://{host} wss://{host}; "  # Safari before 15.4 does not count websockets as 'self'
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return _SECURITY | {"Content-Security-Policy": policy}


def _host(request: web.Request) -> str:
    if not _HOST.fullmatch(request.host):
        raise web.HTTPBadRequest(text="That is no host name.\n")
    return request.host
