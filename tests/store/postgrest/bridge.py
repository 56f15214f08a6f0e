"""A bridge's saver as the daemon runs it, beside a project that is asked as its owner."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jambridge.edges import Latest
from jambridge.room.messages import Participant
from jambridge.room.state import RoomState
from jambridge.store.merging import Setup
from jambridge.store.remote import Endpoint, RemoteStore, open_remote
from jambridge.store.service import Clocks, Inputs, Rules, Saver, open_store
from jambridge.strict_json import JsonObject
from jambridge.units import PeerId
from tests.fakes.waiting import until
from tests.store import golden
from tests.store.postgrest.cluster import ANON_KEY, PostgrestServer

SETUP = Setup(
    master_volume=0.8,
    midi_input="MIDI Keyboard",
    midi_connected=True,
    wled_devices=(golden.STRIP,),
    active_wled=golden.STRIP["id"],
)


def state_of(music: JsonObject) -> RoomState:
    state = RoomState()
    for name in ("tempo", "key", "scale", "colorMode"):
        state = state.changed(name, music[name], "p1")
    return state


def member(name: str) -> Participant:
    return Participant(
        id=PeerId(name), name=name, is_host=False, joined_at=0.0, instrument="unknown", client="test", sends=False
    )


class Bridge:
    """One box in the room ABC123, hosting; its minutes pass when told to."""

    def __init__(self, url: str | None, music: JsonObject, setup: Setup) -> None:
        self.inputs = Inputs(
            state=Latest(state_of(music)),
            members=Latest((member("Anna"),)),
            hosting=Latest(True),
            setup=Latest(setup),
            remote=Latest(Endpoint(url, ANON_KEY) if url else None),
        )
        self.elapsed_s = 0.0
        self.saver: Saver

    def clocks(self) -> Clocks:
        return Clocks(monotonic=lambda: self.elapsed_s, wall=lambda: datetime.now(UTC))

    def change(self, name: str, value: object) -> None:
        self.inputs.state.set(self.inputs.state.value.changed(name, value, "p1"))

    async def delivered(self) -> None:
        await until(lambda: self.saver.report.saved_at is not None and self.saver.report.pending == 0)


@asynccontextmanager
async def a_bridge(
    directory: Path,
    url: str | None,
    session_id: str = "ABC123",
    *,
    music: JsonObject = golden.MUSIC,
    setup: Setup = SETUP,
    resumed: JsonObject | None = None,
) -> AsyncIterator[Bridge]:
    """It saves every 50 ms; the half minute of the documents is `store.save_every_s`."""
    bridge = Bridge(url, music, setup)
    rules = Rules(save_every_s=0.05)
    path = directory / "sessions.sqlite"
    async with open_store(path, session_id, bridge.inputs, rules, resumed=resumed, clocks=bridge.clocks()) as saver:
        bridge.saver = saver
        saving = asyncio.create_task(saver.run())
        try:
            yield bridge
        finally:
            assert not saving.done(), saving.result()
            saving.cancel()
            await asyncio.wait({saving})


@asynccontextmanager
async def a_remote(url: str) -> AsyncIterator[RemoteStore]:
    async with open_remote(Endpoint(url, ANON_KEY)) as remote:
        yield remote


def stored(project: PostgrestServer, session_id: str = "ABC123") -> JsonObject:
    """What the owner of the project sees; the empty object where nothing is."""
    rows = project.sql(f"SELECT state FROM sessions WHERE id = '{session_id}'")
    found: JsonObject = json.loads(rows[0]) if rows else {}
    return found


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(90):
            await scenario

    asyncio.run(bounded())
