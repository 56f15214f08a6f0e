"""Broadcasts, over the wire and over HTTP, and the closing of who sends too many."""

import asyncio
import base64

import pytest

from tests.hub.conformance.cells import each, named
from tests.hub.conformance.guests import JsGuest, Wishes, sees
from tests.hub.conformance.stage import CLIENTS, Running, Stage

BYTES = b"\x00\xffnot JSON{"
SHOWN = {"base64": base64.b64encode(BYTES).decode()}
PAYLOAD = {"tempo": 120, "name": "Žofie 🎸", "nested": {"list": [1, None, True, 0.5]}}


@named("broadcast")
def test_broadcast(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, sender, receiver) as (anna, ben):
            assert await anna.send("tempo-change", **PAYLOAD, fromPeerId="a") == "ok"
            seen = await sees(ben, lambda it: it.heard, what="the broadcast")

            assert seen.heard == [{"event": "tempo-change", "payload": {**PAYLOAD, "fromPeerId": "a"}}]
            assert (await anna.look()).heard == []

    hub.play(scenario)


@each("broadcast-with-ack-sends")
def test_broadcast_with_ack(hub: Running, room: str, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, client, "js2", wishes=Wishes(ack=True)) as (anna, ben):
            assert await anna.send("x", fromPeerId="a") == "ok"
            await sees(ben, lambda it: it.events == ["x"], what="the broadcast")
            assert await anna.send("x", fromPeerId="b") == "error"
            assert await anna.send("x", filler="x" * 270_000) == "error"
            assert await anna.send("y") == "ok"
            seen = await sees(ben, lambda it: "y" in it.events, what="the last broadcast")
            assert seen.events == ["x", "y"]

    hub.play(scenario)


@each("self-broadcast")
def test_self_broadcast(hub: Running, room: str, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, client, wishes=Wishes(echo=True)) as (anna,):
            await anna.send("x", n=1)
            seen = await sees(anna, lambda it: it.heard, what="its own broadcast")
            assert seen.heard == [{"event": "x", "payload": {"n": 1}}]

    hub.play(scenario)


@pytest.mark.parametrize(
    ("receiver", "gets"),
    [
        pytest.param("js2", ["bytes", "after"], id="binary-frame-js2-receives-from-js2"),
        pytest.param("js1", ["after"], id="binary-frame-js1-never-receives-bytes"),
        pytest.param("python", ["after"], id="binary-frame-python-never-receives-bytes"),
    ],
)
def test_binary_frame(hub: Running, room: str, receiver: str, gets: list[str]) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, "js2", receiver) as (anna, ben):
            assert isinstance(anna, JsGuest)
            assert await anna.send_bytes("bytes", BYTES) == "ok"
            await anna.send("after")
            seen = await sees(ben, lambda it: "after" in it.events, what="the broadcast after the bytes")

            assert seen.events == gets
            assert "bytes" not in gets or seen.heard[0]["payload"] == SHOWN

    hub.play(scenario)


@named("http-broadcast")
def test_http_broadcast(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, receiver) as (ben,):
            outside = await stage.guest(sender, "o", room)
            await outside.http_send("tempo-change", {"tempo": 90})
            seen = await sees(ben, lambda it: it.heard, what="the broadcast")
            await outside.close()

            assert seen.heard == [{"event": "tempo-change", "payload": {"tempo": 90}}]

    hub.play(scenario)


@named("http-bytes", [("js2", sender) for sender in CLIENTS])
def test_http_bytes(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, receiver, "js1", "python") as (ben, *others):
            outside = await stage.guest(sender, "o", room)
            await outside.http_send("bytes", BYTES)
            await outside.http_send("after", {})
            await outside.close()
            for guest in (ben, *others):
                seen = await sees(guest, lambda it: "after" in it.events, what="the broadcast after the bytes")
                assert seen.events == (["bytes", "after"] if guest is ben else ["after"])
            assert (await ben.look()).heard[0]["payload"] == SHOWN

    hub.play(scenario)


@named("http-broadcast-of-many", [(receiver, sender) for receiver in CLIENTS for sender in ("js1", "js2")])
def test_http_broadcast_of_many(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, receiver) as (ben,):
            outside = await stage.guest(sender, "o", room)
            assert await outside.send("tempo-change", tempo=90) == "ok"  # it is not joined
            seen = await sees(ben, lambda it: it.heard, what="the broadcast")
            assert await outside.send("tempo-change", tempo=90, fromPeerId="a") == "error"
            await outside.close()

            assert seen.heard == [{"event": "tempo-change", "payload": {"tempo": 90}}]

    hub.play(scenario)


CLOSED = {
    "js1": ["SUBSCRIBED", "CLOSED"],
    "js2": ["SUBSCRIBED", "CLOSED"],
    "python": ["SUBSCRIBED", "CHANNEL_ERROR", "CLOSED"],  # it takes the reason, a `system` message, for an error
}


@each("rate-limit-close")
def test_rate_limit_close(hub: Running, room: str, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, client, *CLIENTS) as (anna, *others):
            for number in range(250):
                await anna.send("x", number=number)
            seen = await sees(anna, lambda it: "CLOSED" in it.states, what="that its channel is closed")

            assert seen.channel_states == CLOSED[client]
            system, closed = [frame for frame in seen.told if frame["event"] in ("system", "phx_close")]
            assert system["payload"] == {
                "channel": room,
                "extension": "system",
                "message": "Too many messages per second",
                "status": "error",
            }
            assert closed["payload"] == {}
            await others[0].send("still here")
            for other in others[1:]:
                heard = await sees(other, lambda it: "still here" in it.events, what="another's broadcast")
                assert heard.events.count("x") >= 99
                assert heard.channel_states == ["SUBSCRIBED"]
            await asyncio.sleep(0.5)  # it may speak again when time has passed: ten messages a second
            assert await anna.rejoin() == "SUBSCRIBED"
            await anna.send("back")
            await sees(others[0], lambda it: "back" in it.events, what="a broadcast after joining anew")

    hub.play(scenario)


@each("presence-rate-close")
def test_presence_rate_close(hub: Running, room: str, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, client, "js2") as (anna, ben):
            for number in range(5):
                await anna.track(number=number)
            await sees(ben, lambda it: [m.get("number") for m in it.members.get("a", [])] == [4], what="five tracks")
            await anna.push(anna.topic, "presence", {"type": "presence", "event": "track", "payload": {"number": 5}})
            seen = await sees(anna, lambda it: "CLOSED" in it.states, what="that its channel is closed")

            assert seen.channel_states == CLOSED[client]
            reasons = [frame["payload"]["message"] for frame in seen.told if frame["event"] == "system"]
            assert reasons == ["Client presence rate limit exceeded"]
            await sees(ben, lambda it: it.members == {}, what="that it left")
            assert await anna.rejoin() == "SUBSCRIBED"
            await anna.track(number=6)
            await sees(ben, lambda it: [m.get("number") for m in it.members.get("a", [])] == [6], what="it again")

    hub.play(scenario)
