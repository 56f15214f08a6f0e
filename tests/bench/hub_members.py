"""Light members for the hub's bench, many in one process: `python -m tests.bench.hub_members` with options as JSON.

Raw websockets (RFC 6455) on asyncio protocols, half of them speaking version 1 and half version 2 with binary
broadcasts. Every broadcast carries when it was sent, by the clock that all processes of a machine share. The process
prints one JSON line when all have joined, waits for a line, plays, and prints what was heard.
"""

import asyncio
import json
import struct
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

_PATH = "/realtime/v1/websocket?apikey=bench&vsn="
_OVER_S = 3.0  # what is on the way at the end
_HEARTBEAT_S = 25.0
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10


@dataclass(slots=True)
class Room:
    """What its members said and heard."""

    topic: str
    sent: int = 0
    heard: int = 0
    latencies_s: list[float] = field(default_factory=list)


class Member(asyncio.Protocol):
    """One websocket that joins, and counts the broadcasts it hears."""

    def __init__(self, room: Room, key: str, version: int) -> None:
        self.room = room
        self.key = key
        self.joined = asyncio.get_running_loop().create_future()
        self.ended = ""
        self._version = version
        self._buffer = bytearray()
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        request = [
            f"GET {_PATH}{self._version}.0.0 HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ]
        transport.write("\r\n".join([*request, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head.split(b"\r\n")[0], head
            self._upgraded, self._buffer = True, rest
            config = {"presence": {"key": self.key, "enabled": True}, "broadcast": {"self": False}}
            self._push("phx_join", {"config": config})
        while (frame := self._frame()) is not None:
            self._receive(*frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = str(exc or "closed")

    def beat(self) -> None:
        self._text(self._message("phoenix", "heartbeat", {}))

    def broadcast(self) -> None:
        payload = {
            "tempo": 120.5,
            "revision": self.room.sent,
            "fromPeerId": self.key,
            "sentAt": time.monotonic(),
        }
        self.room.sent += 1
        if self._version == 1:
            self._push("broadcast", {"type": "broadcast", "event": "tempo-change", "payload": payload})
            return
        topic, event = self.room.topic.encode(), b"tempo-change"
        header = bytes([3, 1, 1, len(topic), len(event), 0, 1])
        self._send(_BINARY, header + b"11" + topic + event + json.dumps(payload).encode())

    def _push(self, event: str, payload: dict[str, Any]) -> None:
        self._text(self._message(self.room.topic, event, payload))

    def _message(self, topic: str, event: str, payload: dict[str, Any]) -> object:
        if self._version == 2:
            return ["1", "1", topic, event, payload]
        return {"topic": topic, "event": event, "payload": payload, "ref": "1", "join_ref": "1"}

    def _text(self, message: object) -> None:
        self._send(_TEXT, json.dumps(message).encode())

    def _send(self, opcode: int, data: bytes) -> None:
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack("!H", len(data))
        self._transport.write(bytes([0x80 | opcode]) + size + bytes(4) + data)  # masked with zeros

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole frame of the server's, which are never masked or split."""
        if len(self._buffer) < 2:
            return None
        start, size = 2, self._buffer[1]
        if size == 126:
            start, size = 4, int.from_bytes(self._buffer[2:4], "big")
        elif size == 127:
            start, size = 10, int.from_bytes(self._buffer[2:10], "big")
        if len(self._buffer) < start + size:
            return None
        opcode, data = self._buffer[0] & 15, bytes(self._buffer[start : start + size])
        del self._buffer[: start + size]
        return opcode, data

    def _receive(self, opcode: int, data: bytes) -> None:
        now_s = time.monotonic()
        if opcode == _PING:
            self._send(_PONG, data)
        elif opcode == _BINARY:
            self._hear(json.loads(data[5 + data[1] + data[2] + data[3] :]), now_s)
        elif opcode == _TEXT:
            self._read(json.loads(data), now_s)

    def _read(self, message: Any, now_s: float) -> None:
        event, payload = message[3:] if isinstance(message, list) else (message["event"], message["payload"])
        if event == "broadcast":
            self._hear(payload["payload"], now_s)
        elif event == "phx_reply" and not self.joined.done():
            assert payload["status"] == "ok", payload
            self.joined.set_result(None)

    def _hear(self, payload: dict[str, Any], now_s: float) -> None:
        self.room.heard += 1
        self.room.latencies_s.append(now_s - payload["sentAt"])


async def play(rooms: list[list[Member]], rate: float, seconds: float) -> None:
    """`rate` broadcasts a second in each room, its members in turn; the rooms out of step with each other."""
    loop = asyncio.get_running_loop()
    began_s = loop.time() + 0.1
    step_s = 1 / rate / len(rooms)
    total = round(rate * seconds) * len(rooms)
    for number in range(total):
        at_s = began_s + number * step_s
        if (wait_s := at_s - loop.time()) > 0:
            await asyncio.sleep(wait_s)
        turn, room = divmod(number, len(rooms))
        rooms[room][turn % len(rooms[room])].broadcast()


async def _beat(members: list[Member]) -> None:
    while True:
        for member in members:
            await asyncio.sleep(_HEARTBEAT_S / len(members))
            member.beat()


async def run(port: int, first: int, rooms: int, members: int, rate: float, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    played = []
    for number in range(first, first + rooms):
        room, inside = Room(f"realtime:room:LOAD{number:02}"), []
        for place in range(members):
            make = partial(Member, room, f"p{place}", 1 + place % 2)
            _, member = await loop.create_connection(make, "127.0.0.1", port)
            await member.joined
            inside.append(member)
        played.append(inside)
    print(json.dumps({"joined": rooms * members}), flush=True)
    everybody = [member for inside in played for member in inside]
    beating = asyncio.create_task(_beat(everybody))
    await loop.run_in_executor(None, sys.stdin.readline)
    await play(played, rate, seconds)
    await asyncio.sleep(_OVER_S)
    beating.cancel()
    said = [inside[0].room for inside in played]
    answer = {
        "sent": sum(room.sent for room in said),
        "due": sum(room.sent for room in said) * (members - 1),
        "heard": sum(room.heard for room in said),
        "ended": [member.ended for member in everybody if member.ended],
        "latencies_ms": [round(1000 * latency_s, 3) for room in said for latency_s in room.latencies_s],
    }
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(run(**json.loads(sys.argv[1])))
