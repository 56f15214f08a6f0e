"""The box's page: its files, those it shares with the jam page, the room's QR code, and the way in."""

import io
from collections.abc import Callable
from pathlib import Path

import segno
from aiohttp import web

from jambridge.hub import pages
from jambridge.status import posted
from jambridge.status.access import COOKIE, Access

_FOLDERS = (Path(__file__).parent / "page", pages.PAGE_FOLDER)
_PAGE = "box.html"
_COOKIE_KEPT_S = 400 * 24 * 3600  # the longest that browsers keep one


class Pages:
    """`link`: where musicians join, if that is known."""

    def __init__(self, access: Access, link: Callable[[], str | None]) -> None:
        self._access = access
        self._link = link

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self._page),
            web.get("/login", self._page),
            web.post("/api/login", self._login),
            web.get("/qr.svg", self._code),
            web.get(r"/page/{name:[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}}", self._file),
        ]

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return pages.send(request, _FOLDERS, _PAGE)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return pages.send(request, _FOLDERS, request.match_info["name"])

    async def _code(self, _request: web.Request) -> web.Response:
        link = self._link()
        if link is None:
            return web.json_response({"error": "there is no link at the moment"}, status=404)
        drawn = io.BytesIO()
        segno.make_qr(link, error="m").save(drawn, kind="svg", border=0, xmldecl=False, omitsize=True)
        return web.Response(body=drawn.getvalue(), content_type="image/svg+xml")

    async def _login(self, request: web.Request) -> web.Response:
        """A cookie for the token: an event stream of a browser has no headers of ours."""
        try:
            _, said = await posted.body(request)
        except posted.RefusalError as exc:
            return web.json_response({"error": str(exc)}, status=exc.status)
        token = said.get("token")
        if not isinstance(token, str):
            return web.json_response({"error": "token is a text"}, status=400)
        if not self._access.holds(token.strip()):
            return web.json_response({"error": "that is not the token"}, status=401)
        answer = web.json_response({})
        answer.set_cookie(COOKIE, self._access.cookie, max_age=_COOKIE_KEPT_S, httponly=True, samesite="Strict")
        return answer
