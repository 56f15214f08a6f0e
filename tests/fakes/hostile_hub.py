"""A server that answers whatever it is asked with ok and, by `say`, says what no hub should."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class HostileHub:
    def __init__(self, topic: str) -> None:
        self._topic = f"realtime:{topic}"
        self._sockets: list[web.WebSocketResponse] = []
        self.frames: list[dict[str, Any]] = []
        """All that it was ever told."""

    @property
    def connections(self) -> int:
        """How many there ever were."""
        return len(self._sockets)

    def tracks(self) -> int:
        """How often somebody took a place."""
        presence = [frame["payload"]["event"] for frame in self.frames if frame["event"] == "presence"]
        return presence.count("track")

    async def say(self, event: str, payload: dict[str, Any]) -> None:
        """To who came last."""
        frame = {"topic": self._topic, "event": event, "ref": None, "payload": payload}
        await self._sockets[-1].send_json(frame)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Yield the port."""
        application = web.Application()
        application.router.add_get("/realtime/v1/websocket", self._serve)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield runner.addresses[0][1]
        finally:
            await asyncio.gather(*(socket.close() for socket in self._sockets))
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        async for message in socket:
            frame = message.json()
            self.frames.append(frame)
            if frame["ref"] is None:
                continue
            reply = {"status": "ok", "response": {"postgres_changes": []}}
            await socket.send_json(
                {"topic": frame["topic"], "event": "phx_reply", "ref": frame["ref"], "payload": reply}
            )
            if frame["event"] == "phx_join":
                await self.say("presence_state", {})
        return socket
