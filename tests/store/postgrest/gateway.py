"""What stands before a Supabase project: one address, the key asked for, `/rest/v1` and `/realtime/v1` handed on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from yarl import URL

from tests.store.postgrest.cluster import ANON_KEY, SERVICE_KEY

PUBLISHABLE_KEY = "sb_publishable_0123456789abcdefghijklmnop"
_TOKENS = {ANON_KEY: ANON_KEY, PUBLISHABLE_KEY: ANON_KEY, SERVICE_KEY: SERVICE_KEY}
_OF_ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-encoding", "content-length", "host", "upgrade"}


class Gateway:
    """A project's address, and what was asked of it."""

    def __init__(self, rest_url: str, realtime_url: str | None) -> None:
        self._rest_url = rest_url
        self._realtime_url = realtime_url
        self._client = aiohttp.ClientSession(auto_decompress=False)
        self.url = ""
        self.requests: list[str] = []
        self.only_private_rooms = False
        """Whether private channels are bound by policies, as those of 003_private_channels.sql."""
        self.loses_answers_to: set[str] = set()
        """What these methods ask is done, but the answer is lost on its way back."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/rest/v1/{path:.*}", self._rest),
            web.get("/realtime/v1/websocket", self._websocket),
        ]

    async def close(self) -> None:
        await self._client.close()

    async def _rest(self, request: web.Request) -> web.Response:
        key = request.headers.get("apikey")
        if key not in _TOKENS:
            return web.json_response(
                {"message": "Invalid API key" if key else "No API key found in request"}, status=401
            )
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
        headers["Authorization"] = f"Bearer {_TOKENS[key]}"
        path = request.rel_url.raw_path_qs.removeprefix("/rest/v1")
        self.requests.append(f"{request.method} {path}")
        try:
            async with self._client.request(
                request.method, URL(self._rest_url + path, encoded=True), headers=headers, data=await request.read()
            ) as answer:
                body = await answer.read()
        except aiohttp.ClientError:
            return web.json_response(
                {"message": "An invalid response was received from the upstream server"}, status=502
            )
        if request.method in self.loses_answers_to:
            assert request.transport is not None
            request.transport.abort()
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
        return web.Response(status=answer.status, body=body, headers=kept)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if self._realtime_url is None:
            raise web.HTTPNotFound
        if request.query.get("apikey") not in _TOKENS:
            raise web.HTTPUnauthorized
        near = web.WebSocketResponse(max_msg_size=0)
        await near.prepare(request)
        async with self._client.ws_connect(self._realtime_url + request.rel_url.raw_path_qs, max_msg_size=0) as far:
            ways = [asyncio.create_task(_pass_on(far, near)), asyncio.create_task(self._pass_judged(near, far))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
        return near

    async def _pass_judged(self, near: web.WebSocketResponse, far: aiohttp.ClientWebSocketResponse) -> None:
        """Text of version 1.0.0; a private channel of a topic without a policy is refused, as Realtime words it."""
        async for message in near:
            frame = json.loads(message.data)
            private = frame["event"] == "phx_join" and frame["payload"]["config"]["private"]
            if self.only_private_rooms and private and not frame["topic"].startswith("realtime:room:"):
                reason = "Unauthorized: You do not have permissions to read from this Channel topic"
                payload = {"status": "error", "response": {"reason": reason}}
                await near.send_json({**frame, "event": "phx_reply", "payload": payload})
            else:
                await far.send_str(message.data)
        await far.close()


Socket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse


async def _pass_on(source: Socket, target: Socket) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
    await target.close()


@asynccontextmanager
async def open_gateway(rest_url: str, realtime_url: str | None = None, *, port: int = 0) -> AsyncIterator[Gateway]:
    gateway = Gateway(rest_url, realtime_url)
    application = web.Application(client_max_size=8 * 1024 * 1024)
    application.add_routes(gateway.routes())
    runner = web.AppRunner(application, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield gateway
    finally:
        await runner.cleanup()
        await gateway.close()
