"""A channel of a project's Realtime, or of a hub, tried as the daemon uses it: join, hear oneself, be seen."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from realtime import AsyncRealtimeChannel, RealtimeSubscribeStates
from realtime.types import RealtimeChannelConfig
from supabase import AsyncClient, AsyncClientOptions, SupabaseException, acreate_client
from supabase.types import RealtimeClientOptions
from websockets.exceptions import WebSocketException

from jambridge.doctor.finding import Finding, failure, good, note, quoted, warning
from jambridge.errors import LinkError

JOIN, ECHO, PRESENCE, PRIVATE = "join", "broadcast", "presence", "private"
ENABLE = "switch Realtime on in the project's settings, with public access allowed"
MAKE_POLICIES = "if rooms are to be private: run scripts/supabase/migrations/003_private_channels.sql"
_EVENT = "doctor"
_CLOSE_S = 2.0


class Channel:
    """One member of one channel, who hears itself."""

    def __init__(self, client: AsyncClient, topic: str, *, private: bool) -> None:
        self._key = secrets.token_hex(8)
        self._refusal = ""
        self._heard = asyncio.Event()
        self._seen = asyncio.Event()
        self._sent = secrets.token_hex(8)
        config: RealtimeChannelConfig = {
            "broadcast": {"ack": False, "self": True},
            "presence": {"key": self._key, "enabled": True},
            "private": private,
        }
        self._channel: AsyncRealtimeChannel = client.channel(topic, {"config": config})
        self._channel.on_presence_sync(self._look)
        self._channel.on_broadcast(_EVENT, self._listen)

    async def joined(self) -> bool:
        await self._channel.subscribe(self._note)
        return not self._refusal

    @property
    def refusal(self) -> str:
        return self._refusal or "no reason was given"

    async def echo(self) -> None:
        """Say something, and wait until it is heard."""
        await self._channel.send_broadcast(_EVENT, {"said": self._sent})
        await self._heard.wait()

    async def appear(self) -> None:
        """Track, and wait until we see ourselves."""
        await self._channel.track({"name": "jambridge doctor"})
        await self._seen.wait()

    async def leave(self) -> None:
        await self._channel.unsubscribe()

    def _note(self, state: RealtimeSubscribeStates, error: Exception | None) -> None:
        if state is not RealtimeSubscribeStates.SUBSCRIBED:
            self._refusal = self._refusal or quoted(error or state.value.lower())

    def _look(self) -> None:
        if self._key in self._channel.presence_state():
            self._seen.set()

    def _listen(self, message: Any) -> None:
        if message.get("payload") == {"said": self._sent}:
            self._heard.set()


@asynccontextmanager
async def open_client(url: str, key: str) -> AsyncIterator[AsyncClient]:
    """Connect as the daemon does; LinkError, OSError or the library's when that fails."""
    options = AsyncClientOptions(realtime=RealtimeClientOptions(auto_reconnect=False, max_retries=1))
    try:
        client = await acreate_client(url, key, options)
        await client.realtime.connect()
    except (SupabaseException, ValueError) as exc:
        raise LinkError(quoted(exc)) from exc
    try:
        yield client
    finally:
        with suppress(TimeoutError, WebSocketException, OSError):
            async with asyncio.timeout(_CLOSE_S):
                await client.realtime.close()


async def join(channel: Channel) -> Finding:
    if await channel.joined():
        return good(JOIN, "a room can be joined")
    return failure(JOIN, f"a room cannot be joined: {channel.refusal}", ENABLE)


async def echo(channel: Channel) -> Finding:
    await channel.echo()
    return good(ECHO, "what is said is heard")


async def presence(channel: Channel) -> Finding:
    await channel.appear()
    return good(PRESENCE, "who is there is seen")


async def private(client: AsyncClient, room: str, elsewhere: str) -> Finding:
    """Rooms ought to be open to the public key, and nothing else."""
    inside = Channel(client, room, private=True)
    if not await inside.joined():
        return note(PRIVATE, f"private channels are closed, rooms use public ones: {inside.refusal}", MAKE_POLICIES)
    await inside.leave()
    outside = Channel(client, elsewhere, private=True)
    if await outside.joined():
        await outside.leave()
        return warning(PRIVATE, "private channels of any topic are open, not only those of rooms", MAKE_POLICIES)
    return good(PRIVATE, "private channels are open to rooms alone")
