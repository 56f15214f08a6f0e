"""One websocket of the hub: what waits to be sent to it, and whether it is alive."""

import asyncio
import math
import time
from collections import deque

from aiohttp import web

from jambridge.hub.limits import Patience
from jambridge.hub.phoenix import Version
from jambridge.hub.presence import SocketId

_PROBE_S = 1.0


class Outbox:
    """Messages waiting to be sent to one socket."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._messages: deque[str | bytes] = deque()
        self._size = 0
        self._ready = asyncio.Event()

    def offer(self, message: str | bytes) -> bool:
        """Append `message`, or refuse it because too much waits."""
        if len(self._messages) >= self._patience.waiting_messages or self._size >= self._patience.waiting_bytes:
            return False
        self._messages.append(message)
        self._size += len(message)
        self._ready.set()
        return True

    async def get(self) -> str | bytes:
        while not self._messages:
            self._ready.clear()
            await self._ready.wait()
        message = self._messages.popleft()
        self._size -= len(message)
        return message


class Link:
    """One socket."""

    def __init__(
        self,
        id_: SocketId,
        version: Version,
        socket: web.WebSocketResponse,
        request: web.Request,
        patience: Patience,
    ) -> None:
        self.id = id_
        self.version = version
        self.socket = socket
        self.outbox = Outbox(patience)
        self.has_joined = False
        self.is_gone = False
        self.waits = False
        """It is not read, since its join waits for the end of another socket."""
        self.heard = asyncio.Event()
        """Something came since it was cleared, or nothing will any more."""
        self._probe: asyncio.Task[bool] | None = None
        self._answered_s = -math.inf
        self._transport = request.transport

    async def write(self) -> None:
        while True:
            try:
                message = await self.outbox.get()
                if isinstance(message, str):
                    await self.socket.send_str(message)
                else:
                    await self.socket.send_bytes(message)
            except (ConnectionError, RuntimeError):  # RuntimeError: aiohttp's word for a socket closed meanwhile
                return

    async def is_alive(self) -> bool:
        """Whether it answers a ping; it is asked once a second at most, whoever wants to know."""
        if self.waits or time.monotonic() - self._answered_s < _PROBE_S:
            return True
        if self._probe is None:
            self._probe = asyncio.create_task(self._answers())
        return await asyncio.shield(self._probe)

    async def _answers(self) -> bool:
        self.heard.clear()
        try:
            async with asyncio.timeout(_PROBE_S):
                await self.socket.ping()
                await self.heard.wait()
        except (TimeoutError, ConnectionError):
            return False
        finally:
            self._probe = None
        self._answered_s = time.monotonic()
        return not self.is_gone

    def abort(self) -> None:
        """Close without a handshake, which a peer that does not read would never finish."""
        if self._transport is not None:
            self._transport.abort()
