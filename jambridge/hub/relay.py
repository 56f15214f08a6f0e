"""Who is in the hub's rooms: websockets, and members of other protocols; frames in, deliveries out.

Each websocket is bounded in what it may send, hold and delay.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from jambridge.door.gate import Gate
from jambridge.door.listener import peer_address
from jambridge.errors import WireError
from jambridge.hub import phoenix
from jambridge.hub.limits import Limits, Patience
from jambridge.hub.link import Link
from jambridge.hub.phoenix import Frame, Version
from jambridge.hub.presence import Deliveries, SocketId
from jambridge.hub.rooms import Rooms
from jambridge.room.flood import TokenBucket
from jambridge.room.messages import HUB_ENDS
from jambridge.strict_json import JsonObject

_GOODBYE_S = 0.4  # for all sockets together, when the hub ends
_FAREWELL_S = 2.0  # for one that is sent away: it may not even read that
_FRAMES = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)


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
        self._links: dict[SocketId, Link] = {}
        self._attached: dict[SocketId, Callable[[Frame], bool]] = {}
        self._ids = itertools.count()
        self.frames = 0
        self.connections = 0
        self.dropped: Counter[str] = Counter()

    @property
    def open(self) -> int:
        return len(self._links)

    def attach(self, deliver: Callable[[Frame], bool]) -> SocketId:
        """A member of another protocol: what the rooms have for it goes to `deliver`, frame by frame.

        `deliver` must not block, nor call the relay; False says that it could not take the frame and ends: its owner
        detaches it. It is a socket like any other, with the same limits: it may be told `system` and `phx_close`.
        """
        socket = SocketId(next(self._ids))
        self._attached[socket] = deliver
        return socket

    def receive(self, socket: SocketId, frame: Frame) -> None:
        """A frame from an attached member; its `size` is what the limits of length look at."""
        self.frames += 1
        self._deliver(self._rooms.receive(socket, frame, self._monotonic()))

    def detach(self, socket: SocketId) -> None:
        """An attached member is gone."""
        del self._attached[socket]
        self._deliver(self._rooms.disconnect(socket))

    def inject(self, topic: str, event: str, payload: JsonObject | bytes) -> bool:
        """Broadcast in a room from outside it; False where too much is said there."""
        deliveries = self._rooms.inject(topic, event, payload, self._monotonic())
        self._deliver(deliveries or [])
        return deliveries is not None

    def tell_all(self, event: str, payload: JsonObject) -> None:
        """A broadcast of the hub's own to everybody in every room."""
        self._deliver(self._rooms.tell_all(event, payload))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Speak with one websocket until it ends."""
        try:
            version = Version(request.query.get("vsn", Version.V1))
        except ValueError:
            raise web.HTTPForbidden(text="Versions 1.0.0 and 2.0.0 are spoken here.\n") from None
        address = peer_address(request.transport)
        if not self._gate.enter(address):
            raise web.HTTPTooManyRequests(text="Too many connections.\n")
        try:
            return await self._serve(request, version)
        finally:
            self._gate.leave(address)

    async def close(self) -> None:
        """Send everybody away, to look for a hub again; who does not go is dropped."""
        links = list(self._links.values())
        if not links:
            return
        goodbyes = [
            asyncio.ensure_future(link.socket.close(code=WSCloseCode.SERVICE_RESTART, message=HUB_ENDS.encode()))
            for link in links
        ]
        _, late = await asyncio.wait(goodbyes, timeout=_GOODBYE_S)
        for goodbye in late:
            goodbye.cancel()
        for link in links:
            link.abort()

    async def _serve(self, request: web.Request, version: Version) -> web.StreamResponse:
        # Compression is off: it costs 300 KiB a socket, and a bomb needs it.
        # Pings are answered here: aiohttp would do it uncounted, and begin each time to wait anew.
        socket = web.WebSocketResponse(
            timeout=1.0, compress=False, autoping=False, max_msg_size=phoenix.MAX_FRAME_BYTES
        )
        await socket.prepare(request)
        link = Link(SocketId(next(self._ids)), version, socket, request, self._patience)
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

    async def _read(self, link: Link) -> None:
        frames = TokenBucket(self._limits.frame_rate, self._limits.frame_burst)
        volume = TokenBucket(self._limits.byte_rate, self._limits.byte_burst)
        now_s = asyncio.get_running_loop().time
        reason = None
        try:
            async with asyncio.timeout(self._patience.join_s) as deadline:
                while (message := await link.socket.receive()).type in _FRAMES:
                    link.heard.set()
                    if link.is_gone:  # superseded: what it had sent before comes too late
                        return
                    arrived_s = self._monotonic()
                    if not (frames.take(arrived_s) and volume.take(arrived_s, len(message.data))):
                        reason = "frame-flood"
                        break
                    await self._receive(link, message)
                    await asyncio.sleep(0)  # else a burst is relayed whole before anybody's writer has a turn
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

    async def _receive(self, link: Link, message: WSMessage) -> None:
        self.frames += 1
        if message.type is WSMsgType.PING:
            await link.socket.pong(message.data)
            return
        if message.type is WSMsgType.PONG:
            return
        try:
            frame = phoenix.decode(message.data, link.version)
        except WireError:
            self.dropped["malformed"] += 1
            return
        holder = self._rooms.holder(link.id, frame)
        if holder in self._links:
            await self._supersede_if_dead(self._links[holder], by=link)
        self._deliver(self._rooms.receive(link.id, frame, self._monotonic()))

    async def _supersede_if_dead(self, holder: Link, by: Link) -> None:
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
        messages: dict[tuple[int, Version], str | bytes | None] = {}  # encoded once for all receivers of a version
        for socket, frame in deliveries:
            if (link := self._links.get(socket)) is None:
                self._hand_over(socket, frame)
                continue
            key = id(frame), link.version
            if key not in messages:
                messages[key] = phoenix.encode(frame, link.version)
            message = messages[key]
            if message is not None and not link.outbox.offer(message):
                self.dropped["slow-reader"] += 1
                link.abort()

    def _hand_over(self, socket: SocketId, frame: Frame) -> None:
        deliver = self._attached.get(socket)
        if deliver is not None and not deliver(frame):
            self.dropped["slow-reader"] += 1

    async def _send_away(self, link: Link, reason: str) -> None:
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
