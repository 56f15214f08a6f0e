"""Messages as clients send them, and what becomes of them with a few changes of structure and of bytes."""

import copy
import json
import random
from typing import Any

TOPICS = ("realtime:room:ABC123", "realtime:room:OTHER1", "phoenix", "elsewhere", "realtime:")
KEYS = ("p0", "p1", "p2", "ann")
STATE = {"tempo": 120.5, "isPlaying": True, "key": "C#", "scale": "minor", "colorMode": "harmonic"}
STAMPS = {field: [3, "p0"] for field in STATE}
OFFER = {"type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"}
CANDIDATE = {"candidate": "candidate:1 1 udp 1 192.168.1.9 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
BROADCASTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tempo-change", {"tempo": 90, "revision": 4}),
    ("key-change", {"key": "F#", "revision": 4, "author": "p1"}),
    ("scale-change", {"scale": "major", "revision": 1}),
    ("color-mode-change", {"colorMode": "chromatic", "revision": 2}),
    ("playback-control", {"isPlaying": False}),
    ("state-request", {}),
    ("state-sync", {"targetPeerId": "ann", "hostId": "p0", "state": STATE, "stamps": STAMPS}),
    ("state-digest", {"hostId": "p1", "stamps": STAMPS}),
    ("host-change", {"hostId": "p2"}),
    ("webrtc-signal", {"type": "offer", "targetPeerId": "ann", "connectionId": "c1", "data": OFFER}),
    ("webrtc-signal", {"type": "ice-candidate", "targetPeerId": "ann", "connectionId": "c1", "data": [CANDIDATE]}),
    ("webrtc-signal", {"type": "bye", "targetPeerId": "ann", "connectionId": "c1", "data": {}}),
    ("led-update", {"colors": [{"r": 255, "g": 0, "b": 7}] * 8, "sequence": 9}),
)
PRESENCE = {
    "name": "Anna",
    "isHost": True,
    "joinedAt": "2026-01-01T10:00:00.000Z",
    "instrument": "guitar",
    "client": "jambridge/1.0.0",
    "sends": True,
    "capabilities": ["leds"],
}
_DEEP = json.loads("[" * 30 + "]" * 30)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1e308, 10**19, 10**25, float("nan"), float("inf"), -0.0),
    *("", "x" * 300, "y" * 9000, "\x00", "💥", "\x1b[2J\r\n", "\ud800", "__proto__", "../../etc/passwd"),
    *("phx_join", "phx_reply", "phx_close", "broadcast", "track", "TRACK", "ann", "p0", "9" * 40),
    *([], {}, [[]], {"": {}}, _DEEP, {"metas": [{}]}, {"phx_ref": "x"}, ["a"] * 50, {str(n): n for n in range(50)}),
)
TOKENS = (
    *("", "{", "}", "[", "]", '"', ",", ":", "null", "true", "1e999", "NaN", "-Infinity", "9" * 30, "\\ud800"),
    *("\x00", "💥", '"topic":1,', '"payload":{},', "\\u0000", "\t", "\u2028", "\ufeff", "//", "1.", "+1"),
)


class Mutations:
    """A stream of messages, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def to_hub(self, version: int, key: str) -> str | bytes:
        """A client's message; about one in six is as it should be."""
        frame = self._from_client(key)
        if self.chance.random() < 0.6:
            frame = self._restructured(frame)
        if version == 2 and self.chance.random() < 0.5 and _can_be_pushed(frame):
            return self._bent(_pushed(frame, self.chance.choice((0, 1, 1, 1, 2))))
        parts = [frame.get(name) for name in ("join_ref", "ref", "topic", "event", "payload")]
        text = json.dumps(frame if version == 1 else parts)
        if self.chance.random() < 0.05:
            return self._bent(text.encode(errors="surrogatepass"))
        return self._mangled(text)

    def to_client(self, topic: str, join_ref: str) -> str | bytes:
        """A server's message of version 1."""
        frame = self._from_server(topic, join_ref)
        if self.chance.random() < 0.6:
            frame = self._restructured(frame)
        text = json.dumps(frame)
        return self._bent(text.encode()) if self.chance.random() < 0.03 else self._mangled(text)

    def broadcast(self, key: str) -> tuple[Any, Any]:
        """An event and a payload, as they come out of a frame that could be read."""
        event, payload = self.chance.choice(BROADCASTS)
        said = {"event": event, "payload": {**copy.deepcopy(payload), "fromPeerId": key}}
        if self.chance.random() < 0.8:
            said = self._restructured(said)
        return said.get("event"), said.get("payload")

    def presence(self) -> Any:
        """A presence state by key, as it comes out of the client library."""
        state: Any = {key: [{**copy.deepcopy(PRESENCE), "presence_ref": "r1"}] for key in KEYS}
        return self._restructured(state) if self.chance.random() < 0.9 else state

    def body(self) -> bytes:
        """Of a broadcast over HTTP."""
        event, payload = self.chance.choice(BROADCASTS)
        topic = self.chance.choice(TOPICS).removeprefix("realtime:")
        body: Any = {"messages": [{"topic": topic, "event": event, "payload": payload, "private": False}]}
        text = json.dumps(self._restructured(body) if self.chance.random() < 0.6 else body)
        return self._bent(self._mangled(text).encode(errors="surrogatepass"))

    def _from_client(self, key: str) -> dict[str, Any]:
        event = self.chance.choice(
            ("phx_join", *["broadcast"] * 6, *["presence"] * 2, "heartbeat", "access_token", "phx_leave")
        )
        topic = TOPICS[2] if event == "heartbeat" else self.chance.choice((*[TOPICS[0]] * 8, *TOPICS))
        ref = str(self.chance.randrange(100))
        payload = copy.deepcopy(self._client_payload(event, key))
        return {"topic": topic, "event": event, "payload": payload, "ref": ref, "join_ref": "1"}

    def _client_payload(self, event: str, key: str) -> dict[str, Any]:
        match event:
            case "phx_join":
                broadcast = {"ack": self.chance.random() < 0.5, "self": self.chance.random() < 0.3}
                config = {"broadcast": broadcast, "presence": {"key": key, "enabled": True}, "private": False}
                return {"config": {**config, "postgres_changes": []}, "access_token": "any"}
            case "presence":
                return {"type": "presence", "event": self.chance.choice(("track", "untrack")), "payload": PRESENCE}
            case "broadcast":
                said, payload = self.chance.choice(BROADCASTS)
                return {"type": "broadcast", "event": said, "payload": {**payload, "fromPeerId": key}}
            case "access_token":
                return {"access_token": "another"}
        return {}

    def _from_server(self, topic: str, join_ref: str) -> dict[str, Any]:
        said, payload = self.chance.choice(BROADCASTS)
        key = self.chance.choice(KEYS)
        meta = {**PRESENCE, "phx_ref": f"r{self.chance.randrange(9)}"}
        diff = {"joins": {key: {"metas": [meta]}}, "leaves": {}}
        event, body = self.chance.choice(
            (
                *[("broadcast", {"type": "broadcast", "event": said, "payload": {**payload, "fromPeerId": key}})] * 8,
                ("presence_state", {key: {"metas": [meta]}}),
                *[("presence_diff", diff), ("presence_diff", {"joins": {}, "leaves": diff["joins"]})] * 2,
                ("phx_reply", {"status": "ok", "response": {}}),
                ("postgres_changes", {"ids": [1], "data": {}}),
                ("system", {"status": "ok", "message": "x", "extension": "system", "channel": "room"}),
            )
        )
        ref = join_ref if event == "phx_reply" else None
        return {"topic": topic, "event": event, "payload": copy.deepcopy(body), "ref": ref}

    def _restructured(self, value: dict[str, Any]) -> dict[str, Any]:
        """One to three places replaced by something odd, taken away, wrapped, or exchanged."""
        value = copy.deepcopy(value)
        for _ in range(self.chance.randrange(1, 4)):
            places = list(_places(value))
            if not places:
                break
            container, place = self.chance.choice(places)
            match self.chance.randrange(5):
                case 0 | 1:
                    container[place] = copy.deepcopy(self.chance.choice(ODD))
                case 2:
                    del container[place]
                case 3:
                    container[place] = [container[place]] if self.chance.random() < 0.5 else {"": container[place]}
                case _:
                    other, elsewhere = self.chance.choice(places)
                    container[place] = copy.deepcopy(other[elsewhere])
        return value

    def _mangled(self, text: str) -> str:
        if self.chance.random() < 0.6:
            return text
        for _ in range(self.chance.randrange(1, 4)):
            at = self.chance.randrange(len(text) + 1)
            text = text[:at] + self.chance.choice(TOKENS) + text[at + self.chance.randrange(6) :]
        return text

    def _bent(self, data: bytes) -> bytes:
        if self.chance.random() < 0.4:
            return data
        bent = bytearray(data)
        for _ in range(self.chance.randrange(1, 4)):
            at = self.chance.randrange(min(len(bent), 12) + 1 if self.chance.random() < 0.5 else len(bent) + 1)
            bent[at : at + self.chance.randrange(4)] = self.chance.randbytes(self.chance.randrange(4))
        return bytes(bent)


def _places(value: Any) -> Any:
    """Every container and a key or index in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place, inner in list(items):
        yield value, place
        yield from _places(inner)


def _can_be_pushed(frame: dict[str, Any]) -> bool:
    return frame.get("event") == "broadcast" and isinstance(frame.get("payload"), dict)


def _pushed(frame: dict[str, Any], encoding: int) -> bytes:
    """A broadcast as a binary frame, with lengths as they come out."""
    body = frame["payload"]
    texts = (frame.get("join_ref"), frame.get("ref"), frame.get("topic"), body.get("event"), body.get("meta", ""))
    parts = [text.encode(errors="surrogatepass")[:300] if isinstance(text, str) else b"" for text in texts]
    head = bytes([3, *(len(part) % 256 for part in parts), encoding])
    return head + b"".join(parts) + json.dumps(body.get("payload")).encode()
