"""A saver with its inputs, as the daemon wires it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jambridge.edges import Latest
from jambridge.room.messages import Participant
from jambridge.room.state import RoomState
from jambridge.store.merging import Setup
from jambridge.store.remote import Endpoint
from jambridge.store.service import Clocks, Inputs, Rules, Saver, open_store
from jambridge.store.sqlite import SqliteStore
from jambridge.strict_json import JsonObject
from jambridge.units import PeerId
from tests.store.golden import GUITAR, PIANO, STRIP

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ME = Participant(PeerId("a1"), "Alice", is_host=True, joined_at=0.0)
FRIEND = Participant(PeerId("b2"), "Bob", is_host=False, joined_at=1.0)
SETUP = Setup(
    master_volume=0.8,
    midi_input="MIDI Keyboard",
    midi_connected=True,
    wled_devices=(STRIP,),
    active_wled="a4cf12ffee01",
    modules=(PIANO, GUITAR),
    active_module="guitar-1",
)
OFTEN = Rules(save_every_s=0.05)


def played(**values: object) -> RoomState:
    state = RoomState()
    for name, value in values.items():
        state = state.changed(name, value, "a1")
    return state


GOLDEN_STATE = played(tempo=140, key="D", scale="minor", colorMode="harmonic")


class HandClocks:
    """Clocks moved by hand; `wall` may jump without time passing."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.wall = NOW

    def passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall += timedelta(seconds=seconds)

    @property
    def clocks(self) -> Clocks:
        return Clocks(lambda: self.now_s, lambda: self.wall)


def inputs(
    state: RoomState = GOLDEN_STATE,
    *,
    setup: Setup = SETUP,
    hosting: bool = True,
    remote: Endpoint | None = None,
    members: tuple[Participant, ...] = (ME,),
) -> Inputs:
    return Inputs(Latest(state), Latest(members), Latest(hosting), Latest(setup), Latest(remote))


@asynccontextmanager
async def saving(
    path: Path,
    given: Inputs,
    session_id: str = "ABC123",
    *,
    rules: Rules = OFTEN,
    clocks: Clocks | None = None,
    resumed: JsonObject | None = None,
) -> AsyncIterator[Saver]:
    """A saver that runs until the block ends, and then leaves."""
    async with (
        asyncio.timeout(60),
        open_store(path, session_id, given, rules, resumed=resumed, clocks=clocks or Clocks()) as saver,
    ):
        task = asyncio.create_task(saver.run())
        try:
            yield saver
        finally:
            task.cancel()
            results = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(results[0], asyncio.CancelledError), results


class Database:
    """The file, read by somebody else."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def store(self) -> SqliteStore:
        return SqliteStore.open(self.path)

    def state(self, session_id: str = "ABC123") -> JsonObject | None:
        if not self.path.exists():
            return None
        store = self.store()
        try:
            found = store.get(session_id)
        finally:
            store.close()
        return found.state if found else None

    def value(self, block: str, key: str) -> object:
        state = self.state() or {}
        return state.get(block, {}).get(key)
