"""Clients of the older Socket.IO protocol, as members of the same rooms."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from aiohttp import web

from jambridge.door.gate import Gate
from jambridge.door.listener import peer_address
from jambridge.door.rates import Rates
from jambridge.errors import Text, UsageError, WireError
from jambridge.hub import guest, socketio_transport
from jambridge.hub.guest import Guest, Said
from jambridge.hub.limits import Patience
from jambridge.hub.live import LiveStates
from jambridge.hub.relay import Relay
from jambridge.hub.seat import Seat
from jambridge.room import code as room_code
from jambridge.room.flood import TokenBucket
from jambridge.strict_json import JsonObject
from jambridge.units import LocalSeconds, PeerId, RoomCode

log = logging.getLogger(__name__)

PING_INTERVAL_S, PING_TIMEOUT_S = 25.0, 20.0
_EVENT_RATE, _EVENT_BURST = 30.0, 60.0
_JOIN_RATE, _JOIN_BURST = 0.5, 10.0  # of an address: codes are not to be tried out
_HTTP_RATE, _HTTP_BURST = 50.0, 200.0
_MAX_WAITING = 256
_GOODBYE_S = 0.3
_TRIES = 5


class _Client:
    def __init__(self, address: str) -> None:
        self.address = address
        self.bucket = TokenBucket(_EVENT_RATE, _EVENT_BURST)
        self.seat: Seat | None = None


class SocketIo:
    """All clients of that protocol. Its handlers never raise: the library would print what they do."""

    def __init__(
        self,
        relay: Relay,
        rooms: Callable[[], Collection[str]],
        gate: Gate,
        live: LiveStates,
        patience: Patience,
    ) -> None:
        """`rooms` gives the topics of the rooms that somebody is in."""
        self._relay = relay
        self._rooms = rooms
        self._gate = gate
        self._live = live
        self._clients: dict[str, _Client] = {}
        self._counted: dict[str, str] = {}
        self._joins = Rates(_JOIN_RATE, _JOIN_BURST)
        self._requests = Rates(_HTTP_RATE, _HTTP_BURST)
        self._closing = False
        self.dropped: Counter[str] = Counter()
        timeout_s = min(PING_TIMEOUT_S, patience.idle_s)
        self._server = socketio_transport.make_server(self.dropped, min(PING_INTERVAL_S, patience.idle_s), timeout_s)
        self._server.eio.on("connect", self._count_in)
        self._server.eio.on("disconnect", self._count_out)
        for event, handler in {
            "connect": self._connected,
            "disconnect": self._disconnected,
            "session:create": self._create,
            "session:join": self._join,
            "session:leave": self._leave,
            "state:request-sync": self._sync,
            **{event: self._setter(event) for event in guest.FIELD_OF},
        }.items():
            self._server.on(event, handler)

    @property
    def open(self) -> int:
        return len(self._counted)

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.route("*", socketio_transport.PATH, self._serve)]

    async def close(self) -> None:
        """Send everybody away; what their rooms agreed on is kept for the hub that comes."""
        self._closing = True
        clients = list(self._clients.values())
        for client in clients:
            self._stand_up(client)
        goodbyes = [asyncio.ensure_future(self._server.eio.disconnect(sid)) for sid in list(self._counted)]
        goodbyes += [asyncio.ensure_future(self._server.eio.shutdown()), asyncio.ensure_future(self._live.flush())]
        _, late = await asyncio.wait(goodbyes, timeout=_GOODBYE_S)
        for goodbye in late:
            goodbye.cancel()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.method not in ("GET", "POST") or "j" in request.query:
            raise web.HTTPMethodNotAllowed(request.method, ["GET", "POST"])
        if not self._requests.take(peer_address(request.transport), time.monotonic()):
            self.dropped["socketio-flood"] += 1
            raise web.HTTPTooManyRequests(text="Too many requests.\n")
        if request.method == "POST":
            try:
                await socketio_transport.read_body(request)
            except WireError:
                self.dropped["socketio-malformed"] += 1
                raise web.HTTPBadRequest(text="Those are no packets of a client.\n") from None
        if (sid := request.query.get("sid")) is not None and not self._is_open(sid):
            self.dropped["socketio-no-session"] += 1  # the library would log what it is given, or raise
            raise web.HTTPBadRequest(text="That session has ended.\n")
        answer: web.StreamResponse = await self._server.handle_request(request)
        return answer

    # The library's sessions, of either transport

    def _is_open(self, eio_sid: str) -> bool:
        session = self._server.eio.sockets.get(eio_sid)
        return session is not None and not session.closed

    async def _count_in(self, eio_sid: str, environ: dict[str, Any]) -> Any:
        address = peer_address(environ["aiohttp.request"].transport)
        if self._closing or not self._gate.enter(address):
            return False
        self._counted[eio_sid] = address
        return await self._server._handle_eio_connect(eio_sid, environ)  # noqa: SLF001  whose place this handler took

    async def _count_out(self, eio_sid: str, reason: str) -> None:
        address = self._counted.pop(eio_sid, None)
        if address is not None:
            self._gate.leave(address)
        await self._server._handle_eio_disconnect(eio_sid, reason)  # noqa: SLF001
        session = self._server.eio.sockets.get(eio_sid)
        if session is not None and reason == self._server.reason.CLIENT_DISCONNECT:
            session.queue.put_nowait(None)  # else the long poll of who said goodbye is kept for 45 s

    # What clients say

    async def _connected(self, sid: str, environ: dict[str, Any], _auth: object = None) -> None:
        self._clients[sid] = _Client(peer_address(environ["aiohttp.request"].transport))

    async def _disconnected(self, sid: str, _reason: object = None) -> None:
        client = self._clients.pop(sid, None)
        if client is not None:
            self._stand_up(client)

    async def _create(self, sid: str, *arguments: object) -> None:
        client = self._admitted(sid, joins=True)
        if client is None:
            return
        for _ in range(_TRIES):
            code = room_code.generate()
            if guest.topic_of(code) not in self._rooms() and not await self._live.known(code):
                await self._sit_down(sid, client, code, _object(arguments), creates=True)
                return

    async def _join(self, sid: str, *arguments: object) -> None:
        client = self._admitted(sid, joins=True)
        if client is None:
            return
        asked = _object(arguments)
        try:
            code = room_code.parse(str(asked.get("roomCode", ""))[:64])
        except UsageError:
            await self._error(sid, Text.INVALID_CODE)
            return
        if guest.topic_of(code) not in self._rooms() and not await self._live.known(code):
            log.info("session not found code=%s", code)
            await self._error(sid, Text.NOT_FOUND)
            return
        await self._sit_down(sid, client, code, asked, creates=False)

    async def _leave(self, sid: str, *arguments: object) -> None:
        """Our own room only: who is named otherwise is not for us to send away."""
        client = self._admitted(sid)
        asked = _object(arguments)
        if client is None or client.seat is None or asked.get("userId", sid) != sid:
            return
        named = "".join(str(asked.get("roomCode", client.seat.guest.code))[:64].split()).upper()
        if named == client.seat.guest.code:
            self._stand_up(client)

    async def _sync(self, sid: str, *_arguments: object) -> None:
        client = self._admitted(sid)
        if client is not None and client.seat is not None:
            await self._tell(sid, client.seat.guest.tell_state())

    def _setter(self, event: str) -> Callable[..., Any]:
        name = guest.FIELD_OF[event]

        async def set_field(sid: str, *arguments: object) -> None:
            client = self._admitted(sid)
            if client is not None and client.seat is not None:
                said = client.seat.guest.change(name, _object(arguments).get(name), LocalSeconds(time.monotonic()))
                await self._pass_on(sid, client.seat, said)

        return set_field

    # Seats

    def _admitted(self, sid: str, *, joins: bool = False) -> _Client | None:
        """The client, unless it says too much."""
        client = self._clients.get(sid)
        if client is None or self._closing:
            return None
        now_s = time.monotonic()
        if not client.bucket.take(now_s) or (joins and not self._joins.take(client.address, now_s)):
            self.dropped["socketio-flood"] += 1
            return None
        return client

    async def _sit_down(self, sid: str, client: _Client, code: RoomCode, asked: JsonObject, *, creates: bool) -> None:
        state = await self._live.load(code)
        if self._closing or self._clients.get(sid) is not client:  # it went meanwhile
            return
        self._stand_up(client)
        shown = {"name": asked.get("name", asked.get("userName")), "instrument": asked.get("instrument")}
        known = {key: value for key, value in shown.items() if isinstance(value, str)}
        member = Guest(PeerId(sid), code, known, creates=creates, state=state, jitter=random.random)
        client.seat = Seat(member, self._relay)
        client.seat.task = asyncio.create_task(self._follow(sid, client, client.seat))

    def _stand_up(self, client: _Client) -> None:
        seat, client.seat = client.seat, None
        if seat is None:
            return
        seat.leave()
        code = seat.guest.code
        others = (other.seat.guest.code for other in self._clients.values() if other.seat is not None)
        if not self._closing and code not in others:
            self._live.forget(code)

    async def _follow(self, sid: str, client: _Client, seat: Seat) -> None:
        await self._pass_on(sid, seat, seat.guest.enter())
        while not seat.guest.ended:
            await self._pass_on(sid, seat, await seat.heard())
        if client.seat is seat:
            self._stand_up(client)

    async def _pass_on(self, sid: str, seat: Seat, said: Said) -> None:
        seat.send(said.frames)
        self._live.keep(seat.guest.code, seat.guest.sharing.state)
        await self._tell(sid, said)

    async def _tell(self, sid: str, said: Said) -> None:
        for event, payload in said.events:
            await self._emit(sid, event, payload)

    async def _error(self, sid: str, text: Text) -> None:
        await self._emit(sid, guest.ERROR, {"message": text.value})

    async def _emit(self, sid: str, event: str, payload: JsonObject) -> None:
        """Who does not read what waits for it is sent away: the library would let it pile up."""
        eio_sid = self._server.manager.eio_sid_from_sid(sid, "/")
        session = self._server.eio.sockets.get(eio_sid)
        if session is None or session.closed:
            return
        if session.queue.qsize() >= _MAX_WAITING:
            self.dropped["slow-reader"] += 1
            await session.close(wait=False, abort=True)
            return
        await self._server.emit(event, payload, to=sid)


def _object(arguments: tuple[object, ...]) -> JsonObject:
    """The one argument of an event, an object."""
    return arguments[0] if arguments and isinstance(arguments[0], dict) else {}
