"""A network that loses or holds back frames: a proxy of WebSockets that reads what passes, and forwards it whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, WebSocketException

Data = str | bytes
Passes = Callable[[Data], Awaitable[bool]]
_USER_BROADCASTS = (3, 4)  # Supabase Realtime's binary frames: a client's broadcast, and the server's


def event(data: Data) -> str | None:
    """What a broadcast is about; None for every other frame."""
    if isinstance(data, bytes):
        return "binary" if data[:1] and data[0] in _USER_BROADCASTS else None
    frame = json.loads(data)
    name, payload = frame[3:] if isinstance(frame, list) else (frame["event"], frame["payload"])
    return str(payload.get("event")) if name == "broadcast" else None


class LossyWire:
    """`passes` is asked of every frame, in either direction; those behind wait for its answer. Use `laid`."""

    def __init__(self, server_port: int, passes: Passes) -> None:
        self._server_port = server_port
        self._passes = passes
        self.port = 0

    async def serve(self, client: ServerConnection) -> None:
        assert client.request is not None
        there = f"ws://127.0.0.1:{self._server_port}{client.request.path}"
        try:
            async with connect(there, compression=None) as server:
                pumps = {asyncio.create_task(self._pump(*ends)) for ends in ((client, server), (server, client))}
                _, other = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in other:
                    pump.cancel()
                await asyncio.wait(pumps)
        except (OSError, WebSocketException):
            client.transport.abort()

    async def _pump(
        self, source: ServerConnection | ClientConnection, target: ServerConnection | ClientConnection
    ) -> None:
        try:
            async for data in source:
                if await self._passes(data):
                    await target.send(data)
        except ConnectionClosed:
            pass
        finally:
            target.transport.abort()


@asynccontextmanager
async def laid(server_port: int, passes: Passes) -> AsyncIterator[LossyWire]:
    wire = LossyWire(server_port, passes)
    async with serve(wire.serve, "127.0.0.1", 0, compression=None) as listener:
        wire.port = next(iter(listener.sockets)).getsockname()[1]
        yield wire
