"""The HTTP side of a virtual WLED."""

from contextlib import AsyncExitStack
from typing import Protocol

from aiohttp import web

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.strict_json import JsonObject

_MAX_BODY = 16 * 1024
_NOT_JSON = 9  # WLED's ERR_JSON


class Answers(Protocol):
    def info(self) -> JsonObject: ...

    def state(self) -> JsonObject: ...

    def cfg(self) -> JsonObject: ...

    def change(self, wish: JsonObject) -> None: ...


async def serve(unit: Answers, host: str, port: int, stack: AsyncExitStack) -> int:
    """Serve until `stack` is left; the port it got.

    Raises:
        OSError: the port is taken.
    """

    async def info(_: web.Request) -> web.Response:
        return web.json_response(unit.info())

    async def state(_: web.Request) -> web.Response:
        return web.json_response(unit.state())

    async def cfg(_: web.Request) -> web.Response:
        return web.json_response(unit.cfg())

    async def everything(_: web.Request) -> web.Response:
        return web.json_response({"state": unit.state(), "info": unit.info(), "effects": ["Solid"], "palettes": []})

    async def change(request: web.Request) -> web.Response:
        try:
            unit.change(strict_json.loads_object(await request.read(), _MAX_BODY))
        except WireError:
            return web.json_response({"error": _NOT_JSON}, status=400)
        return web.json_response({"success": True})

    app = web.Application(client_max_size=_MAX_BODY)
    for path, answer in (("/info", info), ("/state", state), ("/cfg", cfg), ("/si", everything), ("", everything)):
        app.router.add_get(f"/json{path}", answer)
    for path in ("/json", "/json/state", "/json/si"):
        app.router.add_post(path, change)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, host, port).start()
    return int(runner.addresses[0][1])
