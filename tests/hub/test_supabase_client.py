"""The unmodified Python client of Supabase when a room is full, empty, or its hub gone; `conformance/` has the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from realtime import AsyncRealtimeChannel, AsyncRealtimeClient, RealtimeSubscribeStates
from realtime.types import RealtimeChannelConfig

from jambridge.hub.server import HubServer
from tests.hub.live import PATIENCE_S, live_hub, run, settled


class Guest:
    """One client in one channel, and what it was told."""

    def __init__(self, client: AsyncRealtimeClient, key: str) -> None:
        config: RealtimeChannelConfig = {
            "broadcast": {"ack": False, "self": False},
            "presence": {"key": key, "enabled": True},
            "private": False,
        }
        self.client = client
        self.key = key
        self.channel: AsyncRealtimeChannel = client.channel("room:ABC123", {"config": config})
        self.states: list[RealtimeSubscribeStates] = []
        self.channel.on_presence_sync(lambda: None)

    @classmethod
    @asynccontextmanager
    async def joined(cls, hub: HubServer, key: str) -> AsyncIterator["Guest"]:
        client = AsyncRealtimeClient(f"http://127.0.0.1:{hub.port}/realtime/v1", token="any", max_retries=100)
        guest = cls(client, key)
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


async def until(condition: Callable[[], bool], failure: Callable[[], str] = lambda: "never") -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110  the client tells by plain callbacks
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(failure()) from None


SUBSCRIBED, CLOSED, ERROR = (
    RealtimeSubscribeStates.SUBSCRIBED,
    RealtimeSubscribeStates.CLOSED,
    RealtimeSubscribeStates.CHANNEL_ERROR,
)


def test_leaving_closes_the_channel_and_the_room(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, Guest.joined(hub, "a") as anna:
            await anna.channel.unsubscribe()
            await until(lambda: CLOSED in anna.states)
            await settled(hub, rooms=0, sockets=1)

            again = Guest(anna.client, "a")
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
