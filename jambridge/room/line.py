"""One channel over one connection, through the Supabase client library; it never heals, it says how it ended.

The library reconnects on its own, but gives up after five tries, does not track presence again, buffers without bound
meanwhile, and goes deaf when a callback raises. None of that is used; and what it leaves behind is put away here.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from realtime import (
    AsyncRealtimeChannel,
    AsyncRealtimeClient,
    RealtimeAcknowledgementStatus,
    RealtimePresenceState,
    RealtimeSubscribeStates,
)
from realtime.message import Message
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode

from jambridge.errors import LinkError, Text, WireError
from jambridge.room.edges import Address
from jambridge.room.messages import HUB_ENDS
from jambridge.strict_json import JsonObject

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 4.5
ANSWER_TIMEOUT_S = 6.0
"""With the longest pause between two tries, less than ten seconds: so soon is a server that is back found."""
LEAVE_TIMEOUT_S = 0.5
CLOSE_TIMEOUT_S = 0.3
PING_EVERY_S = PING_PATIENCE_S = 4.0
_LATE_S = 0.25  # for an answer that arrived while this process was not running
HUB_GONE = "the hub has gone; looking for another"
KEY_IN_USE = "another connection uses our presence key"
_REASONS = {Text.FULL.value: Text.FULL.value, "key in use": KEY_IN_USE}


class Line:
    """Use `open_line`. Its callbacks may raise WireError; `count` is told what was dropped."""

    def __init__(self, client: AsyncRealtimeClient, topic: str, key: str, count: Callable[[str], None]) -> None:
        self._client = client
        self._socket = _socket(client)
        self._channel = _channel(client, topic, key)
        self._tasks = _tasks(client)
        self._count = count
        self._closed = asyncio.Event()
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        for task in self._tasks:  # they die of what they cannot merge, without a word
            task.add_done_callback(_put_away)
            task.add_done_callback(lambda _: self.fail("the client library stopped listening"))

    @property
    def presence(self) -> RealtimePresenceState:
        return self._channel.presence_state()

    async def join(self, on_presence: Callable[[], None], on_broadcast: Callable[[Any], None]) -> None:
        """Subscribe; both callbacks are called from now on.

        Raises:
            LinkError: the room did not answer, or refused.
        """
        self._channel.on_presence_sync(self.never_raising(on_presence))
        self._channel.on_broadcast("*", self.never_raising(on_broadcast))
        await self.until(self._channel.subscribe(self._on_state))

    async def until(self, awaitable: Awaitable[object]) -> None:
        """Wait for an answer, but no longer than this connection lives.

        Raises:
            LinkError: it ended, or did not answer in time.
        """
        task = asyncio.ensure_future(awaitable)
        waiting: set[asyncio.Future[Any]] = {task, self.failed}
        try:
            await asyncio.wait(waiting, timeout=ANSWER_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if self.failed.done():
                raise LinkError(self.failed.result())
            if not task.done():
                raise LinkError("the room does not answer")
            await task
        finally:
            task.add_done_callback(_put_away)
            task.cancel()

    async def track(self, payload: JsonObject) -> None:
        """Take a place in the presence; the server has confirmed it.

        Raises:
            LinkError: it did not.
        """
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        push = await self._push_presence("track", payload)
        push.receive(RealtimeAcknowledgementStatus.Ok, lambda _: None if answered.done() else answered.set_result(None))
        push.receive(
            RealtimeAcknowledgementStatus.Error, lambda reply: self.fail(f"presence refused: {_reason(reply)}")
        )
        await self.until(answered)

    async def send(self, event: str, payload: JsonObject) -> None:
        """Broadcast. Not by the library's own call: that leaves a timer of ten seconds behind for each."""
        body = {"type": "broadcast", "event": event, "payload": payload}
        await self._client.send(
            Message(topic=self._channel.topic, event="broadcast", payload=body, join_ref=self._channel.join_push.ref)
        )

    async def watch(self) -> None:
        """Ping until an answer is missed: a half-open connection looks well for a minute otherwise."""
        while True:
            await asyncio.sleep(PING_EVERY_S)
            try:
                answers = await self._answers()
            except (TimeoutError, WebSocketException, OSError):
                answers = False
            if not answers:
                self.fail("the room does not answer any more")
                return

    async def _answers(self) -> bool:
        async with asyncio.timeout(PING_PATIENCE_S):
            pong = asyncio.ensure_future(await self._socket.ping())  # waits itself where nothing leaves any more
        for patience_s in (PING_PATIENCE_S, _LATE_S):
            await asyncio.wait({pong}, timeout=patience_s)
        return pong.done() and pong.exception() is None

    async def leave(self, *, untrack: bool) -> None:
        """Say goodbye and wait until the room has heard it, for a moment."""
        if self.failed.done():
            return
        with suppress(TimeoutError, WebSocketException, OSError):
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                if untrack:
                    await self._push_presence("untrack", {})
                await self._channel.unsubscribe()
                await self._closed.wait()

    def fail(self, reason: str) -> None:
        if not self.failed.done():
            self.failed.set_result(reason)

    def never_raising(self, callback: Callable[..., None]) -> Callable[..., None]:
        """The library's listening task dies of an exception in a callback, and with it the room's ears."""

        def guarded(*arguments: Any) -> None:
            try:
                callback(*arguments)
            except WireError as exc:
                self._count("malformed")
                log.debug("broadcast dropped reason=%s", exc)
            except Exception:  # the library demands a callback that never raises
                self._count("unexpected")
                self.fail("a message could not be read")
                log.exception("broadcast dropped")

        return guarded

    async def close(self) -> None:
        """Close the connection, by force where it does not answer, and end all that the library left running."""
        self._channel.rejoin_timer.reset()
        self._channel.join_push.destroy()
        for push in self._channel.messages_waiting_for_ack.values():
            push.destroy()
        with suppress(TimeoutError, WebSocketException, OSError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._client.close()
        self._socket.transport.abort()
        tasks = {*self._tasks, *self._channel._background_tasks}  # noqa: SLF001  there is no other way to end them
        for task in tasks:
            task.cancel()
        await asyncio.wait({*tasks, asyncio.ensure_future(self._socket.wait_closed())})

    async def _push_presence(self, event: str, payload: JsonObject) -> Any:
        return await self._channel.push("presence", {"type": "presence", "event": event, "payload": payload})

    def _on_state(self, state: RealtimeSubscribeStates, error: Exception | None) -> None:
        if state == RealtimeSubscribeStates.CLOSED:
            self._closed.set()
        if state != RealtimeSubscribeStates.SUBSCRIBED:
            self.fail(_sentence(state, error))


@asynccontextmanager
async def open_line(address: Address, topic: str, key: str, count: Callable[[str], None]) -> AsyncIterator[Line]:
    """Connect; leaving closes without goodbye.

    Raises:
        LinkError: nobody answers there, or we are refused.
    """
    client = AsyncRealtimeClient(
        f"{address.url.rstrip('/')}/realtime/v1", address.key, auto_reconnect=False, max_retries=1
    )
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await client.connect()
    except (TimeoutError, WebSocketException, OSError, ValueError) as exc:
        raise LinkError(f"{address.url} cannot be reached: {str(exc) or 'no answer'}") from exc
    line = Line(client, topic, key, count)
    try:
        yield line
    finally:
        await line.close()


def _put_away(task: asyncio.Future[Any]) -> None:
    """Its outcome does not matter any more; unasked it would be logged."""
    if not task.cancelled():
        task.exception()


def _socket(client: AsyncRealtimeClient) -> ClientConnection:
    socket = client._ws_connection  # noqa: SLF001  the library has no ping, and loses it when the server closes
    if socket is None:
        raise LinkError("the connection ended at once")
    return socket


def _tasks(client: AsyncRealtimeClient) -> tuple[asyncio.Task[None], ...]:
    tasks = (client._listen_task, client._heartbeat_task)  # noqa: SLF001  there is no other way to see them end
    return tuple(task for task in tasks if task is not None)


def _channel(client: AsyncRealtimeClient, topic: str, key: str) -> AsyncRealtimeChannel:
    return client.channel(
        topic,
        {
            "config": {
                "broadcast": {"ack": False, "self": False},
                "presence": {"key": key, "enabled": True},
                "private": False,
            }
        },
    )


def _sentence(state: RealtimeSubscribeStates, error: Exception | None) -> str:
    """Why a channel is not joined, or not any more."""
    if error is None:
        return f"the room is {state.value.lower().replace('_', ' ')}"
    try:
        said = json.loads(str(error))
    except ValueError:
        return why_lost(error)
    return _reason(said)


def why_lost(error: Exception) -> str:
    """Why a connection broke; HUB_GONE if a hub of ours has ended as it should."""
    close = error.rcvd if isinstance(error, ConnectionClosed) else None
    if close is not None and close.code == CloseCode.SERVICE_RESTART and close.reason == HUB_ENDS:
        return HUB_GONE
    return f"connection lost: {str(error) or type(error).__name__}"


def _reason(reply: Any) -> str:
    said = (reply.get("reason") or reply.get("message")) if isinstance(reply, dict) else None
    text = said[:200] if isinstance(said, str) else "no reason given"
    return _REASONS.get(text, f"the room refuses: {text}")
