"""Members of a room by clients as they are published: supabase-js of either wire version, and supabase for Python.

Each speaks and is asked in the same words, so that a test can be run for any of them.
"""

import asyncio
import base64
import itertools
import json
import logging
import re
from ast import literal_eval
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from realtime import RealtimeSubscribeStates
from realtime.message import Message
from realtime.types import RealtimeAcknowledgementStatus, RealtimeChannelConfig
from supabase import AsyncClient, acreate_client

PATIENCE_S = 20.0
_DRIVER = Path(__file__).with_name("driver.mjs")
_LONGEST_LINE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a join asks for."""

    ack: bool = False
    echo: bool = False
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a client told its user since it was made."""

    states: list[str]
    heard: list[dict[str, Any]]
    """Broadcasts: event, payload, meta where there is one; bytes are `{"base64": ...}`."""
    presence: list[str]
    """`join KEY`, `leave KEY`, `sync`."""
    members: dict[str, list[dict[str, Any]]]
    told: list[dict[str, Any]]
    """Frames as they came, less what the client's logger leaves out: topic, event, ref, payload."""

    @property
    def channel_states(self) -> list[str]:
        """Without reasons and heartbeats."""
        return [state.split()[0] for state in self.states if not state.startswith("heartbeat")]

    @property
    def names(self) -> dict[str, list[object]]:
        return {key: [meta.get("name") for meta in metas] for key, metas in self.members.items()}

    @property
    def events(self) -> list[str]:
        return [message["event"] for message in self.heard]


class Guest(Protocol):
    """One client with one channel."""

    key: str
    topic: str

    async def subscribe(self) -> str: ...
    async def rejoin(self) -> str: ...
    async def track(self, **payload: object) -> None: ...
    async def untrack(self) -> None: ...
    async def send(self, event: str, **payload: object) -> str: ...
    async def http_send(self, event: str, payload: dict[str, object] | bytes) -> None: ...
    async def leave(self) -> None: ...
    async def set_auth(self, token: str) -> None: ...
    async def heartbeat(self) -> None: ...
    async def join_payload(self) -> dict[str, Any]: ...
    async def push(self, topic: str, event: str, payload: dict[str, Any]) -> str: ...
    async def look(self) -> Seen: ...
    async def close(self) -> None: ...


class Driver:
    """A process with JavaScript clients of one wire version."""

    def __init__(self, version: str, process: asyncio.subprocess.Process) -> None:
        self.version = version
        self._process = process
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    @classmethod
    @asynccontextmanager
    async def running(cls, version: str) -> AsyncIterator["Driver"]:
        pipe = asyncio.subprocess.PIPE
        command = ("node", "--no-warnings", str(_DRIVER), version)
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_LONGEST_LINE)
        driver = cls(version, process)
        reading = asyncio.create_task(driver._read())
        try:
            yield driver
        finally:
            process.kill()
            await process.wait()
            await reading

    async def call(self, guest: str, does: str, **options: object) -> Any:
        """What `acts` of the driver answers.

        Raises:
            RuntimeError: the client raised, with its words.
        """
        assert self._process.stdin is not None
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "guest": guest, "does": does, "with": options})
        self._process.stdin.write(f"{line}\n".encode())
        async with asyncio.timeout(PATIENCE_S):
            return await answer

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            answer = json.loads(line)
            future = self._waiting.pop(answer["id"])
            if future.done():
                continue
            if "error" in answer:
                future.set_exception(RuntimeError(answer["error"]))
            else:
                future.set_result(answer["result"])


class JsGuest:
    """supabase-js, in a driver's process."""

    def __init__(self, driver: Driver, name: str, key: str, room: str) -> None:
        self.key = key
        self.topic = f"realtime:{room}"
        self._driver = driver
        self._name = name

    @classmethod
    async def made(cls, driver: Driver, url: str, name: str, key: str, room: str, wishes: Wishes) -> "JsGuest":
        options = {"ack": wishes.ack, "echo": wishes.echo, "config": wishes.config}
        await driver.call(name, "open", url=url, key=key, room=room, **options)
        return cls(driver, name, key, room)

    async def act(self, does: str, **options: object) -> Any:
        return await self._driver.call(self._name, does, **options)

    async def subscribe(self) -> str:
        return str(await self.act("subscribe"))

    async def rejoin(self) -> str:
        return str(await self.act("rejoin"))

    async def track(self, **payload: object) -> None:
        assert await self.act("track", payload=payload) == "ok"

    async def untrack(self) -> None:
        assert await self.act("untrack") == "ok"

    async def send(self, event: str, **payload: object) -> str:
        return str(await self.act("send", event=event, payload=payload))

    async def send_bytes(self, event: str, payload: bytes) -> str:
        return str(await self.act("sendBytes", event=event, base64=base64.b64encode(payload).decode()))

    async def http_send(self, event: str, payload: dict[str, object] | bytes) -> None:
        if isinstance(payload, bytes):
            await self.act("httpSendBytes", event=event, base64=base64.b64encode(payload).decode())
        else:
            await self.act("httpSend", event=event, payload=payload)

    async def leave(self) -> None:
        assert await self.act("leave") == "ok"

    async def set_auth(self, token: str) -> None:
        await self.act("setAuth", token=token)

    async def heartbeat(self) -> None:
        await self.act("heartbeat")

    async def join_payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = await self.act("joinPayload")
        return payload

    async def push(self, topic: str, event: str, payload: dict[str, Any]) -> str:
        return str(await self.act("push", topic=topic, event=event, payload=payload))

    async def rest(self, table: str, *calls: tuple[object, ...]) -> dict[str, Any]:
        """The answer to a query: data, error, count and status. `("select", "*"), ("eq", "id", "ABC123")`."""
        answer: dict[str, Any] = await self.act("rest", table=table, calls=calls)
        return answer

    async def look(self) -> Seen:
        return Seen(**await self.act("look"))

    async def close(self) -> None:
        await self.act("close")


class PythonGuest:
    """supabase for Python, in this process; what it received is read off its log."""

    def __init__(self, client: AsyncClient, wire: "Wire", key: str, room: str, wishes: Wishes) -> None:
        self.key = key
        self.topic = f"realtime:{room}"
        self.client = client
        self._room = room
        self._wire = wire
        self._config: RealtimeChannelConfig = {
            "broadcast": {"ack": wishes.ack, "self": wishes.echo},
            "presence": {"key": key, "enabled": True},
            "private": wishes.config.get("private", False),
        }
        self._acked = wishes.ack
        self._states: list[str] = []
        self._heard: list[dict[str, Any]] = []
        self._presence: list[str] = []
        self._enter()

    @classmethod
    async def made(cls, wire: "Wire", url: str, key: str, room: str, wishes: Wishes) -> "PythonGuest":
        return cls(await acreate_client(url, "any.key.works"), wire, key, room, wishes)

    def _enter(self) -> None:
        self.channel = self.client.channel(self._room, {"config": self._config})
        self.channel.on_presence_sync(lambda: self._presence.append("sync"))
        self.channel.on_presence_join(lambda key, *_: self._presence.append(f"join {key}"))
        self.channel.on_presence_leave(lambda key, *_: self._presence.append(f"leave {key}"))
        self.channel.on_broadcast("*", self._hear)

    def _hear(self, message: Any) -> None:
        self._heard.append({name: message[name] for name in ("event", "payload", "meta") if name in message})

    async def subscribe(self) -> str:
        def note(state: RealtimeSubscribeStates, error: Exception | None) -> None:
            self._states.append(f"{state.value} {error}" if error else state.value)

        await self.channel.subscribe(note)
        return self._states[-1]

    async def rejoin(self) -> str:
        self._enter()
        return await self.subscribe()

    async def track(self, **payload: object) -> None:
        await self.channel.track(payload)

    async def untrack(self) -> None:
        await self.channel.untrack()

    async def send(self, event: str, **payload: object) -> str:
        if not self._acked:
            await self.channel.send_broadcast(event, payload)
            return "ok"
        reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        push = await self.channel.push("broadcast", {"type": "broadcast", "event": event, "payload": payload})
        push.receive(RealtimeAcknowledgementStatus.Ok, lambda _reply: reply.set_result("ok"))
        push.receive(RealtimeAcknowledgementStatus.Error, lambda _error: reply.set_result("error"))
        async with asyncio.timeout(PATIENCE_S):
            return await reply

    async def http_send(self, event: str, payload: dict[str, object] | bytes) -> None:
        await self.channel.http_send(event, payload)

    async def leave(self) -> None:
        await self.channel.unsubscribe()

    async def set_auth(self, token: str) -> None:
        await self.client.realtime.set_auth(token)

    async def heartbeat(self) -> None:
        """As the client's own timer sends it, which no method of the client does."""
        await self.client.realtime.send(Message(topic="phoenix", event="heartbeat", payload={}, ref=self.key))

    async def join_payload(self) -> dict[str, Any]:
        return dict(self.channel.join_push.payload)

    async def push(self, topic: str, event: str, payload: dict[str, Any]) -> str:
        client = self.client.realtime
        ref = client._make_ref()
        join_ref = self.channel.join_push.ref
        await client.send(Message(topic=topic, event=event, payload=payload, ref=ref, join_ref=join_ref))
        return ref

    async def look(self) -> Seen:
        members = {key: [dict(meta) for meta in metas] for key, metas in self.channel.presence_state().items()}
        told = self._wire.received_by(self.client.realtime._listen_task)
        return Seen([*self._states], [*self._heard], [*self._presence], members, told)

    async def close(self) -> None:
        await self.client.realtime.close()


class Wire(logging.Handler):
    """What Python clients received and complained of, in their own log."""

    _LOG = logging.getLogger("realtime")

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._received: dict[asyncio.Task[Any] | None, list[dict[str, Any]]] = {}
        self.complaints: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if received := re.match(r"receive: (.*)", message, re.DOTALL):
            frame = json.loads(literal_eval(received[1]))
            self._received.setdefault(asyncio.current_task(), []).append(frame)
        if record.levelno >= logging.ERROR:
            self.complaints.append(message)

    def received_by(self, listening: asyncio.Task[Any] | None) -> list[dict[str, Any]]:
        """Frames of the client that has that task."""
        return [*self._received.get(listening, [])]

    @classmethod
    @asynccontextmanager
    async def tapped(cls) -> AsyncIterator["Wire"]:
        wire, level = cls(), cls._LOG.level
        cls._LOG.addHandler(wire)
        cls._LOG.setLevel(logging.DEBUG)
        cls._LOG.propagate = False
        try:
            yield wire
        finally:
            cls._LOG.propagate = True
            cls._LOG.setLevel(level)
            cls._LOG.removeHandler(wire)


async def sees(guest: Guest, condition: Callable[[Seen], object], *, what: str = "") -> Seen:
    """Wait until what the guest was told fulfils the condition."""
    seen: Seen | None = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                seen = await guest.look()
                if condition(seen):
                    return seen
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{guest.key} was never told {what}: {seen}") from None
