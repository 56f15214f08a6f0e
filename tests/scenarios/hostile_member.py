"""A member of the room who means harm: `python -m tests.scenarios.hostile_member HUB ROOM`.

Joins as the hub demands, finds the bridge in the presence, and sends it what it must count and drop.
"""

import asyncio
import json
import sys
from typing import Any

import aiohttp

ME = "000hostile"  # a low id, so that our offers are answered
PACE_S = 0.05  # under the hub's rate, so that everything arrives
_BOMB = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 600
_SDPS = ("", "v=0", "\x00" * 100, _BOMB, "m=audio", "a=fingerprint:sha-256 00\r\n" * 100, "v=0\r\nm=video 9 X 0\r\n")


async def main(hub: str, room: str) -> None:
    topic = f"realtime:room:{room}"
    async with aiohttp.ClientSession() as session, session.ws_connect(_url(hub)) as socket:
        config = {"broadcast": {"self": False}, "presence": {"key": ME, "enabled": True}, "private": False}
        await socket.send_json(_frame(topic, "phx_join", {"config": config}))
        bridge = await _bridge(socket)
        await socket.send_json(
            _frame(topic, "presence", {"type": "presence", "event": "track", "payload": _presence()})
        )
        for number, payload in enumerate(payloads(bridge)):
            event = "webrtc-signal" if isinstance(payload, dict) else "tempo-change"
            said = {"type": "broadcast", "event": event, "payload": payload}
            await socket.send_str(json.dumps(_frame(topic, "broadcast", said, str(number + 10))))
            await asyncio.sleep(PACE_S)
        for text in ("", "[]", "{", "[" * 50_000, '{"topic": NaN}', "\x00" * 1000):
            await socket.send_str(text)
            await asyncio.sleep(PACE_S)
        sys.stdout.write("said\n")
        sys.stdout.flush()
        async for _ in socket:  # stay, as a member that connects with nobody
            pass


def payloads(bridge: str) -> list[Any]:
    """Signals and broadcasts, malformed in as many ways as came to mind."""
    signal = {"fromPeerId": ME, "targetPeerId": bridge, "connectionId": "c1"}
    offers = [
        {**signal, "type": "offer", "connectionId": f"c{n}", "data": {"type": "offer", "sdp": sdp}}
        for n, sdp in enumerate(_SDPS)
    ]
    answers = [{**signal, "type": "answer", "data": {"type": "answer", "sdp": sdp}} for sdp in _SDPS[:3]]
    elsewhere = [
        f"candidate:1 1 udp 1 {address} {port} typ host"
        for address, port in (("127.0.0.1", 22), ("224.0.0.251", 5353), ("255.255.255.255", 9), ("169.254.169.254", 80))
    ]
    candidates = [
        {**signal, "type": "ice-candidate", "data": data}
        for data in (
            *(
                {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0}
                for text in (*elsewhere, "", "candidate:", "x" * 5000)
            ),
            [{"candidate": elsewhere[0], "sdpMid": "0"}] * 300,
            {"candidate": 7},
            None,
            "text",
        )
    ]
    odd = [
        {**signal, "type": "restart", "data": {}},
        {**signal, "type": "offer"},
        {**signal, "type": "bye", "connectionId": {"a": 1}, "data": {}},
        {**signal, "type": ["offer"], "data": {"type": "offer", "sdp": 7}},
        {**signal, "fromPeerId": "somebody else", "type": "bye", "data": {}},
        {"targetPeerId": bridge},
        {},
        {**signal, "type": "offer", "data": {"type": "offer", "sdp": "v=0\r\n" + "a=x\r\n" * 8000}},
        7,
        "text",
        [1, 2],
        None,
    ]
    return [*offers, *answers, *candidates, *odd]


async def _bridge(socket: aiohttp.ClientWebSocketResponse) -> str:
    async for message in socket:
        frame = json.loads(message.data)
        if frame["event"] == "presence_state":
            for key, entry in frame["payload"].items():
                if entry["metas"][0].get("client", "").startswith("jambridge/"):
                    return str(key)
    raise SystemExit("no bridge in the room")


def _presence() -> dict[str, Any]:
    joined = "2026-01-01T00:00:00.000Z"
    return {"name": "Mallory", "isHost": True, "joinedAt": joined, "instrument": "x", "client": "y", "sends": True}


def _frame(topic: str, event: str, payload: Any, ref: str = "1") -> dict[str, Any]:
    return {"topic": topic, "event": event, "payload": payload, "ref": ref, "join_ref": "1"}


def _url(hub: str) -> str:
    return hub.replace("http", "ws", 1) + "/realtime/v1/websocket?apikey=x&vsn=1.0.0"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
