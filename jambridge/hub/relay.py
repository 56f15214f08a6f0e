"""The websockets of the hub: frames in, deliveries out, each socket bounded in what it may send, hold and delay."""

import asyncio
import itertools
import math
import time
from collections import Counter, deque
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from jambridge.errors import WireError
from jambridge.hub import phoenix
from jambridge.hub.gate import Gate, peer_address
from jambridge.hub.limits import Limits, Patience
from jambridge.hub.presence import Deliveries, SocketId
from jambridge.hub.rooms import Rooms
from jambridge.room.flood import TokenBucket

_GOODBYE_S = 0.4  # for all sockets together, when the hub ends
_FAREWELL_S = 2.0  # for one that is sent away: it may not even read that
_PROBE_S = 1.0
_FRAMES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)


class Outbox:
    """Texts waiting to be sent to one socket."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._texts: deque[str] = deque()
        self._size = 0
        self._ready = asyncio.Event()

    def offer(self, text: str) -> bool:
        """Append `text`, or refuse it because too much waits."""
        if len(self._texts) >= self._patience.waiting_messages or self._size >= self._patience.waiting_bytes:
            return False
        self._texts.append(text)
        self._size += len(text)
        self._ready.set()
        return True

    async def get(self) -> str:
        while not self._texts:
            self._ready.clear()
            await self._ready.wait()
        text = self._texts.popleft()
        self._size -= len(text)
        return text


class _Link:
    """One socket."""

    def __init__(self, id_: SocketId, socket: web.WebSocketResponse, request: web.Request, patience: Patience) -> None:
        self.id = id_
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
                await self.socket.send_str(await self.outbox.get())
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


class Relay:
    """All sockets of the hub, and the rooms behind them."""

    def __init__(
        self,
        rooms: Rooms,
        gate: Gate,
        limits: Limits,
        patience: Patience,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rooms = rooms
        self._gate = gate
        self._limits = limits
        self._patience = patience
        self._monotonic = monotonic
        self._links: dict[SocketId, _Link] = {}
        self._ids = itertools.count()
        self.frames = 0
        self.connections = 0
        self.dropped: Counter[str] = Counter()

    @property
    def open(self) -> int:
        return len(self._links)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Speak with one websocket until it ends."""
        address = peer_address(request.transport)
        if not self._gate.enter(address):
            raise web.HTTPTooManyRequests(text="Too many connections.\n")
        try:
            return await self._serve(request)
        finally:
            self._gate.leave(address)

    async def close(self) -> None:
        """Send everybody away, to look for a hub again; who does not go is dropped."""
        links = list(self._links.values())
        if not links:
            return
        goodbyes = [
            asyncio.ensure_future(link.socket.close(code=WSCloseCode.SERVICE_RESTART, message=b"the hub ends"))
            for link in links
        ]
        _, late = await asyncio.wait(goodbyes, timeout=_GOODBYE_S)
        for goodbye in late:
            goodbye.cancel()
        for link in links:
            link.abort()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        # Compression is off: it costs 300 KiB a socket, and a bomb needs it.
        # Pings are answered here: aiohttp would do it uncounted, and begin each time to wait anew.
        socket = web.WebSocketResponse(timeout=1.0, compress=False, autoping=False, max_msg_size=phoenix.MAX_BYTES)
        await socket.prepare(request)
        link = _Link(SocketId(next(self._ids)), socket, request, self._patience)
        self._links[link.id] = link
        self.connections += 1
        writer = asyncio.create_task(link.write())
        try:
            await self._read(link)
        finally:
            link.is_gone = True
            link.heard.set()
            del self._links[link.id]
            self._deliver(self._rooms.disconnect(link.id))
            writer.cancel()
            await asyncio.wait([writer])
        return socket

    async def _read(self, link: _Link) -> None:
        bucket = TokenBucket(self._limits.frame_rate, self._limits.frame_burst)
        now_s = asyncio.get_running_loop().time
        reason = None
        try:
            async with asyncio.timeout(self._patience.join_s) as deadline:
                while (message := await link.socket.receive()).type in _FRAMES:
                    link.heard.set()
                    if link.is_gone:  # superseded: what it had sent before comes too late
                        return
                    if not bucket.take(self._monotonic()):
                        reason = "frame-flood"
                        break
                    await self._receive(link, message)
                    if self._rooms.topics(link.id):
                        link.has_joined = True
                        deadline.reschedule(now_s() + self._patience.idle_s)
                self._note_end(message)
        except TimeoutError:
            reason = "idle" if link.has_joined else "no-join"
        except ConnectionError:  # it went while it was answered
            return
        if reason is not None:
            await self._send_away(link, reason)

    async def _receive(self, link: _Link, message: WSMessage) -> None:
        self.frames += 1
        if message.type is WSMsgType.PING:
            await link.socket.pong(message.data)
            return
        if message.type is WSMsgType.PONG:
            return
        if message.type is not WSMsgType.TEXT:
            self.dropped["binary"] += 1
            return
        try:
            frame = phoenix.decode(message.data)
        except WireError:
            self.dropped["malformed"] += 1
            return
        holder = self._rooms.holder(link.id, frame)
        if holder is not None:
            await self._supersede_if_dead(self._links[holder], by=link)
        self._deliver(self._rooms.receive(link.id, frame, self._monotonic()))

    async def _supersede_if_dead(self, holder: _Link, by: _Link) -> None:
        """Free the key of a half-open socket, whose member is back while its old connection only times out."""
        by.waits = True
        try:
            is_alive = await holder.is_alive()
        finally:
            by.waits = False
        if is_alive or holder.is_gone:
            return
        self.dropped["superseded"] += 1
        holder.is_gone = True
        holder.abort()
        self._deliver(self._rooms.disconnect(holder.id))

    def _deliver(self, deliveries: Deliveries) -> None:
        texts: dict[int, str] = {}  # a broadcast is one frame for all its receivers: encoded once
        for socket, frame in deliveries:
            link = self._links.get(socket)
            if link is None:
                continue
            text = texts.get(id(frame)) or texts.setdefault(id(frame), phoenix.encode(frame))
            if not link.outbox.offer(text):
                self.dropped["slow-reader"] += 1
                link.abort()

    async def _send_away(self, link: _Link, reason: str) -> None:
        self.dropped[reason] += 1
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await link.socket.close(code=WSCloseCode.POLICY_VIOLATION, message=reason.encode())
        except TimeoutError:
            link.abort()

    def _note_end(self, message: WSMessage) -> None:
        error = message.data
        if message.type is WSMsgType.ERROR and getattr(error, "code", None) == WSCloseCode.MESSAGE_TOO_BIG:
            self.dropped["oversized"] += 1
