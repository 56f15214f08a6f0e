"""A member's seat in a room, over Supabase Realtime: hosted, or the LAN hub that speaks the same wire.

The client library reconnects on its own, but gives up after five tries, does not track presence again, and goes deaf
when a callback raises. So one connection is one service here: any trouble ends it, and supervision opens the next.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from realtime import AsyncRealtimeChannel, RealtimeSubscribeStates
from supabase import AsyncClient, AsyncClientOptions, SupabaseException, acreate_client
from supabase.types import RealtimeClientOptions
from websockets.exceptions import WebSocketException

from jambridge.edges import Bounded, Dropping, Latest
from jambridge.errors import LinkError, Text, UnavailableError, WireError
from jambridge.room import messages, presence
from jambridge.room.flood import RoomGuard
from jambridge.room.messages import Broadcast, Participant, Signal
from jambridge.units import LocalSeconds, PeerId, RoomCode

log = logging.getLogger(__name__)

JOIN_TIMEOUT_S = 8.0
LEAVE_TIMEOUT_S = 0.7
MISSING_AFTER_S = 1.0  # nobody within a second of the first presence state: there is no such session
MAX_SIGNAL_BYTES = 32 * 1024
MOST_PRESENCE_NEWS = 500  # in one go: the library reads on while its buffer is full, and nothing else runs
_BUSY_S = 0.2  # while awaiting lost members

Connection = Literal["connected", "reconnecting", "disconnected"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a room is: a Supabase project or a hub."""

    url: str
    key: str


@dataclass(frozen=True, slots=True)
class RoomView:
    """The room as the others of this process see it."""

    connection: Connection = "disconnected"
    members: tuple[Participant, ...] = ()
    host: PeerId | None = None


class RoomEdges:
    """What outlives a connection: the view, signals for us, and what we have to say."""

    def __init__(self) -> None:
        self.view: Latest[RoomView] = Latest(RoomView())
        self.members: Latest[tuple[Participant, ...]] = Latest(())
        self.signals: Bounded[Signal] = Bounded(256)
        self.outbox: Dropping[Broadcast] = Dropping(64)
        self.roster = presence.Roster()
        self.hosting = False
        """We came first, and say so again after every rejoining."""
        self.dropped: dict[str, int] = {}

    def say(self, signal: Signal) -> None:
        """Send a signal, if the room is there; it is dropped otherwise, since a late one would only mislead."""
        if self.view.value.connection == "connected":
            self.outbox.put(Broadcast(messages.SIGNAL_EVENT, messages.signal_payload(signal)))
        else:
            self.count("away")

    def count(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


class RoomClient:
    """One connection to one room."""

    def __init__(
        self, listening: asyncio.Task[None] | None, channel: AsyncRealtimeChannel, me: Participant, edges: RoomEdges
    ) -> None:
        self._channel = channel
        self._me = me
        self._edges = edges
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[str] = self._loop.create_future()
        self._presence_news = 0
        self._guard = RoomGuard()
        self._synced = asyncio.Event()
        self._tracked = False
        if listening is not None:  # it dies of what it cannot merge, without a word and with its heartbeat going on
            listening.add_done_callback(lambda _: self._fail("the client library stopped listening"))

    async def join(self, *, must_exist: bool) -> None:
        """Subscribe, wait for the first presence, and take a place in it.

        Raises:
            LinkError: the room did not answer, or refused.
            UnavailableError: nobody is there, and somebody had to be.
        """
        self._channel.on_presence_sync(self._look_soon)
        self._channel.on_broadcast("*", self._never_raising(self._on_broadcast))
        self._edges.roster.rejoined(LocalSeconds(time.monotonic()))
        await self._channel.subscribe(self._on_state)
        await self._until(self._synced.wait())
        if must_exist and not self._edges.roster.known and not self._others():
            await asyncio.sleep(MISSING_AFTER_S)
            if not self._others():
                raise UnavailableError(Text.NOT_FOUND)
        self._edges.hosting = self._edges.hosting or not self._others()
        self._me = replace(self._me, is_host=self._edges.hosting)
        await self._channel.track(messages.presence_payload(self._me))
        self._tracked = True
        self._on_presence()

    async def run(self) -> None:
        """Send what others have to say until the connection fails, as LinkError."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send())
            group.create_task(self._forget_the_missing())
            raise LinkError(await self._failed)

    async def leave(self) -> None:
        with suppress(TimeoutError, WebSocketException, OSError):
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                while self._edges.outbox.pending:
                    said = await self._edges.outbox.get()
                    await self._channel.send_broadcast(said.event, said.payload)
                await self._channel.unsubscribe()

    async def _until(self, awaitable: Any) -> None:
        """Wait for `awaitable`, but no longer than the connection lives."""
        task = asyncio.ensure_future(awaitable)
        try:
            await asyncio.wait({task, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                raise LinkError(self._failed.result())
        finally:
            task.cancel()

    async def _send(self) -> None:
        try:
            while True:
                said = await self._edges.outbox.get()
                await self._channel.send_broadcast(said.event, said.payload)
        except (WebSocketException, OSError) as exc:
            self._fail(f"connection lost: {exc or type(exc).__name__}")

    async def _forget_the_missing(self) -> None:
        while self._edges.roster.awaited_until is not None:
            await asyncio.sleep(_BUSY_S)
            self._on_presence()

    def _others(self) -> bool:
        present, _ = presence.parse_state(self._channel.presence_state())
        return any(peer != self._me.id for peer in present)

    def _on_state(self, state: RealtimeSubscribeStates, error: Exception | None) -> None:
        if state != RealtimeSubscribeStates.SUBSCRIBED:
            self._fail(Text.FULL if Text.FULL in str(error) else f"{state.value.lower()} {error or ''}".strip())

    def _fail(self, reason: str) -> None:
        if not self._failed.done():
            self._failed.set_result(reason)

    def _look_soon(self) -> None:
        """Once for all that arrived together: each look reads the whole presence."""
        self._presence_news += 1
        if self._presence_news > MOST_PRESENCE_NEWS:
            self._fail("presence changes faster than it can be followed")
        elif self._presence_news == 1:
            self._loop.call_soon(self._never_raising(self._on_presence))

    def _on_presence(self) -> None:
        self._presence_news = 0
        present, dropped = presence.parse_state(self._channel.presence_state())
        if dropped:
            self._edges.count("presence")
        self._synced.set()
        if not self._tracked:
            return
        present[self._me.id] = self._me  # whatever anyone says with our key
        members = self._edges.roster.update(present, LocalSeconds(time.monotonic()))
        self._edges.view.set(RoomView("connected", members, presence.host(members, time.time())))
        self._edges.members.set(members)

    def _on_broadcast(self, message: Any) -> None:
        event, payload = message.get("event"), message.get("payload")
        if event != messages.SIGNAL_EVENT or not isinstance(payload, dict):
            return
        if payload.get("targetPeerId") != self._me.id:
            return
        if not self._guard.admit(str(payload.get("fromPeerId"))[: messages.MAX_TEXT], time.monotonic()):
            self._edges.count("flood")
            return
        if len(json.dumps(payload)) > MAX_SIGNAL_BYTES:
            raise WireError("a signal over 32 KiB")
        signal = messages.parse_signal(payload)
        if not self._edges.signals.offer(signal):
            self._fail("signals arrive faster than they can be followed")

    def _never_raising(self, callback: Callable[..., None]) -> Callable[..., None]:
        """The library's listening task dies of an exception in a callback, and with it the room's ears."""

        def guarded(*arguments: Any) -> None:
            try:
                callback(*arguments)
            except WireError as exc:
                self._edges.count("malformed")
                log.debug("broadcast dropped reason=%s", exc)
            except Exception:  # the library demands a callback that never raises
                self._edges.count("unexpected")
                self._fail("a message could not be read")
                log.exception("broadcast dropped")

        return guarded


@asynccontextmanager
async def open_room(
    where: Latest[Address | None], topic: str, me: Participant, edges: RoomEdges, *, must_exist: bool = False
) -> AsyncIterator[RoomClient]:
    """Join as soon as it is known where, and leave at the end; `edges.view` says what is in force.

    Raises:
        LinkError: the room cannot be reached or refuses.
        UnavailableError: `must_exist`, and nobody is there.
    """
    address = where.value or await where.changed(None)
    if address is None:
        raise LinkError("there is no hub to meet at")
    client = await _connect(address)
    channel = client.channel(
        topic,
        {
            "config": {
                "broadcast": {"ack": False, "self": False},
                "presence": {"key": me.id, "enabled": True},
                "private": False,
            }
        },
    )
    room = RoomClient(client.realtime._listen_task, channel, me, edges)  # noqa: SLF001  there is no other way to see it end
    try:
        edges.outbox.clear()
        async with asyncio.timeout(JOIN_TIMEOUT_S):
            await room.join(must_exist=must_exist)
        yield room
    except TimeoutError as exc:
        raise LinkError(f"the room at {address.url} does not answer") from exc
    except (WebSocketException, OSError) as exc:
        raise LinkError(f"the room at {address.url} cannot be reached: {exc}") from exc
    finally:
        await room.leave()
        edges.view.set(replace(edges.view.value, connection="reconnecting"))
        with suppress(TimeoutError, WebSocketException, OSError):
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await client.realtime.close()


async def _connect(address: Address) -> AsyncClient:
    realtime = RealtimeClientOptions(auto_reconnect=False, max_retries=1)
    options = AsyncClientOptions(realtime=realtime)
    try:
        client = await acreate_client(address.url, address.key, options)
        async with asyncio.timeout(JOIN_TIMEOUT_S):
            await client.realtime.connect()
    except SupabaseException as exc:
        raise LinkError(f"Supabase at {address.url} refuses: {exc}") from exc
    except (TimeoutError, WebSocketException, OSError) as exc:
        raise LinkError(f"{address.url} cannot be reached: {exc or 'no answer'}") from exc
    return client


def topic_of(template: str, code: RoomCode) -> str:
    """`room:{code}` for a code."""
    return template.replace("{code}", code)
