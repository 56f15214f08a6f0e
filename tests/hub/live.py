"""A hub on loopback, and members that speak the wire by hand."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp

from jambridge.hub.server import WEBSOCKET_PATH, HubOptions, HubServer, open_hub

TOPIC = "realtime:room:ABC123"
PATIENCE_S = 20.0  # a machine under load; never waited for where all is well


@asynccontextmanager
async def live_hub(directory: Path, **changes: Any) -> AsyncIterator[HubServer]:
    options = {"hub_id": "test", "state_dir": directory, "bind": "127.0.0.1", "port": 0, "tls_port": 0, **changes}
    async with open_hub(HubOptions(**options)) as hub:
        yield hub


async def health(hub: HubServer) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{hub.port}/healthz") as answer:
        said: dict[str, Any] = await answer.json()
        return said


async def settled(hub: HubServer, **counters: object) -> None:
    """Wait until the hub counts that."""
    async with asyncio.timeout(PATIENCE_S):
        while not counters.items() <= (await health(hub)).items():  # noqa: ASYNC110  seen only from outside
            await asyncio.sleep(0.01)


class Member:
    """One websocket. Every message it got is kept until it is looked for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._refs = itertools.count(1)

    @classmethod
    @asynccontextmanager
    async def connected(cls, hub: HubServer, **options: Any) -> AsyncIterator[Self]:
        url = f"http://127.0.0.1:{hub.port}{WEBSOCKET_PATH}?apikey=any&vsn=1.0.0"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0, **options) as socket:
            yield cls(socket)

    @classmethod
    @asynccontextmanager
    async def joined(cls, hub: HubServer, key: str, *, ack: bool = False) -> AsyncIterator[Self]:
        async with cls.connected(hub) as member:
            reply = await member.join(key, ack=ack)
            assert reply["payload"]["status"] == "ok"
            yield member

    async def push(self, event: str, payload: object, topic: str = TOPIC) -> str:
        ref = str(next(self._refs))
        message = {"topic": topic, "event": event, "payload": payload, "ref": ref, "join_ref": "1"}
        await self.socket.send_str(json.dumps(message))
        return ref

    async def join(self, key: str, *, ack: bool = False, topic: str = TOPIC) -> dict[str, Any]:
        config = {"broadcast": {"ack": ack, "self": False}, "presence": {"key": key, "enabled": True}}
        return await self.reply(await self.push("phx_join", {"config": config}, topic))

    async def broadcast(self, event: str, **payload: object) -> str:
        return await self.push("broadcast", {"type": "broadcast", "event": event, "payload": payload})

    async def reply(self, ref: str) -> dict[str, Any]:
        return await self.next(lambda message: message["ref"] == ref)

    async def heard(self, event: str) -> dict[str, Any]:
        """The payload of the next broadcast of that event."""
        message = await self.next(lambda it: it["event"] == "broadcast" and it["payload"]["event"] == event)
        payload: dict[str, Any] = message["payload"]["payload"]
        return payload

    async def next(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message that is wanted; those before it are passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message: dict[str, Any] = json.loads(await self.socket.receive_str())
                if wanted(message):
                    return message

    async def closed(self) -> int | None:
        """Wait for the end; its close code, None where there was none."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario

    asyncio.run(bounded())
