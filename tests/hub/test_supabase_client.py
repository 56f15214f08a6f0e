"""The unmodified Python client of Supabase against the hub."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from realtime import AsyncRealtimeChannel, AsyncRealtimeClient, RealtimeSubscribeStates
from realtime.types import RealtimeAcknowledgementStatus, RealtimeChannelConfig
from supabase import acreate_client

from jambridge.hub.server import HubServer
from tests.hub.live import PATIENCE_S, live_hub, settled


class Guest:
    """One client in one channel, and what it was told."""

    def __init__(
        self, client: AsyncRealtimeClient, key: str, room: str, *, ack: bool = False, echo: bool = False
    ) -> None:
        config: RealtimeChannelConfig = {
            "broadcast": {"ack": ack, "self": echo},
            "presence": {"key": key, "enabled": True},
            "private": False,
        }
        self.client = client
        self.key = key
        self.channel: AsyncRealtimeChannel = client.channel(room, {"config": config})
        self.states: list[RealtimeSubscribeStates] = []
        self.heard: list[dict[str, Any]] = []
        self.channel.on_presence_sync(lambda: None)
        self.channel.on_broadcast("*", lambda message: self.heard.append(dict(message)))

    @classmethod
    @asynccontextmanager
    async def joined(
        cls, hub: HubServer, key: str, room: str = "room:ABC123", *, ack: bool = False, echo: bool = False
    ) -> AsyncIterator["Guest"]:
        client = AsyncRealtimeClient(f"http://127.0.0.1:{hub.port}/realtime/v1", token="any", max_retries=100)
        guest = cls(client, key, room, ack=ack, echo=echo)
        try:
            await guest.subscribe()
            yield guest
        finally:
            await client.close()

    async def subscribe(self) -> None:
        await self.channel.subscribe(lambda state, _error: self.states.append(state))

    async def track(self, **payload: object) -> None:
        await self.channel.track(payload)

    @property
    def seen(self) -> dict[str, list[str]]:
        """Names by presence key."""
        state = self.channel.presence_state()
        return {key: [str(meta.get("name")) for meta in metas] for key, metas in state.items()}

    async def sees(self, expected: dict[str, list[str]]) -> None:
        await until(lambda: self.seen == expected, lambda: f"{self.key} sees {self.seen}, not {expected}")

    async def acked(self, event: str, payload: dict[str, object]) -> str:
        """Send a broadcast and wait for the hub's reply: 'ok' or the reason."""
        reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        push = await self.channel.push("broadcast", {"type": "broadcast", "event": event, "payload": payload})
        push.receive(RealtimeAcknowledgementStatus.Ok, lambda _reply: reply.set_result("ok"))
        push.receive(RealtimeAcknowledgementStatus.Error, lambda error: reply.set_result(error["reason"]))
        async with asyncio.timeout(PATIENCE_S):
            return await reply


async def until(condition: Callable[[], bool], failure: Callable[[], str] = lambda: "never") -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110  the client tells by plain callbacks
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(failure()) from None


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(90):
            await scenario

    asyncio.run(bounded())


SUBSCRIBED, CLOSED, ERROR = (
    RealtimeSubscribeStates.SUBSCRIBED,
    RealtimeSubscribeStates.CLOSED,
    RealtimeSubscribeStates.CHANNEL_ERROR,
)


def test_presence_is_tracked_changed_untracked_and_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Guest.joined(hub, "a") as anna:
            await anna.track(name="Anna")
            async with Guest.joined(hub, "b") as ben:
                await ben.track(name="Ben")
                for guest in (anna, ben):
                    await guest.sees({"a": ["Anna"], "b": ["Ben"]})
                await ben.track(name="Ben")
                await ben.track(name="Benno")
                for guest in (anna, ben):
                    await guest.sees({"a": ["Anna"], "b": ["Benno"]})
                await ben.channel.untrack()
                for guest in (anna, ben):
                    await guest.sees({"a": ["Anna"]})
                await ben.track(name="Ben again")
                await anna.sees({"a": ["Anna"], "b": ["Ben again"]})
            await anna.sees({"a": ["Anna"]})
            assert anna.states == [SUBSCRIBED]

    run(scenario())


def test_broadcasts_reach_the_others_and_oneself_where_asked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            live_hub(tmp_path) as hub,
            Guest.joined(hub, "a") as anna,
            Guest.joined(hub, "b", echo=True) as ben,
            Guest.joined(hub, "c", room="room:OTHER1") as stranger,
        ):
            await anna.channel.send_broadcast("tempo-change", {"tempo": 90})
            await until(lambda: len(ben.heard) == 1)
            await ben.channel.send_broadcast("key-change", {"key": "D"})
            await until(lambda: len(ben.heard) == 2 and len(anna.heard) == 1)

            assert ben.heard[0]["event"] == "tempo-change"
            assert ben.heard[0]["payload"] == {"tempo": 90}
            assert anna.heard == ben.heard[1:]
            assert stranger.heard == []

    run(scenario())


def test_an_ack_says_whether_the_hub_took_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Guest.joined(hub, "a", ack=True) as anna:
            assert await anna.acked("tempo-change", {"tempo": 90, "fromPeerId": "a"}) == "ok"
            assert await anna.acked("tempo-change", {"tempo": 90, "fromPeerId": "b"}) == "forged-sender"

    run(scenario())


def test_the_clients_heartbeat_is_answered_without_complaint(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Guest.joined(hub, "a"):
            # the join and the first heartbeat, which the client sends as it connects
            await settled(hub, frames=2, dropped={})

    run(scenario())


def test_leaving_closes_the_channel_and_the_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Guest.joined(hub, "a") as anna:
            await anna.channel.unsubscribe()
            await until(lambda: CLOSED in anna.states)
            await settled(hub, rooms=0, sockets=1)

            again = Guest(anna.client, "a", "room:ABC123")
            await again.subscribe()
            await again.track(name="Anna")
            await again.sees({"a": ["Anna"]})

    run(scenario())


def test_a_full_room_says_so_and_lets_in_when_somebody_leaves(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, AsyncExitStack() as stack:
            members = [await stack.enter_async_context(Guest.joined(hub, f"p{n}")) for n in range(10)]
            eleventh = await stack.enter_async_context(Guest.joined(hub, "p10"))
            assert eleventh.states == [ERROR]

            await members[0].channel.unsubscribe()

            await until(lambda: SUBSCRIBED in eleventh.states)  # the client tries again by itself after a second

    run(scenario())


def test_a_second_join_of_the_same_topic_closes_the_first(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Guest.joined(hub, "a") as anna:
            await anna.channel.push("phx_join", dict(anna.channel.join_push.payload))

            await until(lambda: anna.states == [SUBSCRIBED, CLOSED])
            await settled(hub, members=1)

    run(scenario())


def test_a_topic_that_is_none_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Guest.joined(hub, "a") as anna:
            anna.channel.topic = "elsewhere"
            anna.client.channels["elsewhere"] = anna.channel

            assert await anna.acked("x", {}) == "unmatched topic"

    run(scenario())


def test_after_a_restart_of_the_hub_everybody_is_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            async with live_hub(tmp_path) as hub:
                anna = await stack.enter_async_context(Guest.joined(hub, "a"))
                ben = await stack.enter_async_context(Guest.joined(hub, "b"))
                await anna.track(name="Anna")
                await ben.sees({"a": ["Anna"]})
            async with live_hub(tmp_path, port=hub.port) as hub:
                await until(lambda: anna.states[-1] == ben.states[-1] == SUBSCRIBED and len(ben.states) > 1)
                await anna.track(name="Anna, back")  # the client does not track again by itself
                await ben.sees({"a": ["Anna, back"]})

    run(scenario())


def test_the_supabase_package_joins_by_its_own_url(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub:
            client = await acreate_client(f"http://127.0.0.1:{hub.port}", "any.key.works")
            guest = Guest(client.realtime, "a", "room:ABC123")
            await guest.subscribe()
            await guest.track(name="Anna")
            await guest.sees({"a": ["Anna"]})
            await client.realtime.close()

    run(scenario())
