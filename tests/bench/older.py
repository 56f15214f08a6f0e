"""Members of the older kinds: `python -m tests.bench.older HUB ROOM socketio|realtime`, a process each.

They come back as simple apps do: try again every half second. What each knows of the room's state is one JSON object a
line, said whenever it changes.
"""

import asyncio
import json
import sys
from contextlib import suppress
from itertools import count
from typing import Any

import aiohttp
import socketio
from socketio.exceptions import SocketIOError

from jambridge.hub.server import WEBSOCKET_PATH

RETRY_S = 0.5
HEARTBEAT_S = 25.0
FIELD_OF = {
    "tempo-change": "tempo",
    "key-change": "key",
    "scale-change": "scale",
    "color-mode-change": "colorMode",
    "playback-control": "isPlaying",
}


class Known:
    """The state as this member knows it."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}

    def learn(self, said: Any) -> None:
        known = {name: said[name] for name in FIELD_OF.values() if name in said}
        if known.items() - self._values.items():
            self._values.update(known)
            print(json.dumps(self._values), flush=True)


async def by_socketio(hub: str, room: str) -> None:
    known = Known()
    client = socketio.AsyncClient(reconnection=False)
    joined = asyncio.Event()

    async def heard(said: Any) -> None:
        known.learn(said)

    async def has_joined(_said: Any) -> None:
        joined.set()
        await client.emit("state:request-sync", {})

    async def lost(*_: Any) -> None:
        joined.clear()

    for event in FIELD_OF:
        client.on(f"state:{event}", heard)
    client.on("state:sync", heard)
    client.on("session:joined", has_joined)
    client.on("disconnect", lost)
    while True:
        with suppress(SocketIOError):
            if not client.connected:
                await client.connect(hub, transports=["websocket"])
            elif not joined.is_set():
                await client.emit("session:join", {"roomCode": room, "name": "Older"})
        await asyncio.sleep(RETRY_S)


async def by_realtime(hub: str, room: str) -> None:
    """The wire by hand, version 1.0.0, as the oldest library speaks it."""
    known = Known()
    while True:
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(f"{hub}{WEBSOCKET_PATH}?apikey=any&vsn=1.0.0", heartbeat=4.0) as socket,
            ):
                await _sit(socket, f"realtime:room:{room}", known)
        await asyncio.sleep(RETRY_S)


async def _sit(socket: aiohttp.ClientWebSocketResponse, topic: str, known: Known) -> None:
    refs = count(1)

    async def push(event: str, payload: object, to: str = topic) -> None:
        frame = {"topic": to, "event": event, "payload": payload, "ref": str(next(refs)), "join_ref": "1"}
        await socket.send_str(json.dumps(frame))

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await push("heartbeat", {}, "phoenix")

    await push("phx_join", {"config": {"broadcast": {"self": False}, "presence": {"key": "raw", "enabled": True}}})
    await push("presence", {"type": "presence", "event": "track", "payload": {"name": "Raw", "isHost": False}})
    await push("broadcast", {"type": "broadcast", "event": "state-request", "payload": {"fromPeerId": "raw"}})
    beating = asyncio.create_task(beat())
    try:
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            frame = json.loads(message.data)
            if frame["event"] == "broadcast":
                payload = frame["payload"].get("payload", {})
                known.learn(payload.get("state", payload))
    finally:
        beating.cancel()


if __name__ == "__main__":
    kinds = {"socketio": by_socketio, "realtime": by_realtime}
    asyncio.run(kinds[sys.argv[3]](sys.argv[1], sys.argv[2]))
