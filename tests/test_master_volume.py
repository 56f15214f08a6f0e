"""How loud the line-out is after a restart."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from jambridge import keeping, sound
from jambridge.config import AudioConfig
from jambridge.edges import Latest
from jambridge.room.edges import RoomEdges
from jambridge.services import Services
from jambridge.sound import Sound
from jambridge.store.merging import Setup
from jambridge.store.resuming import Resume
from jambridge.store.service import Inputs, Rules, open_store
from jambridge.store.sqlite import SqliteStore
from jambridge.units import PeerId, RoomCode
from tests.store.golden import GOLDEN, MUSIC

CODE = RoomCode("ABC123")
STORED = 0.3
CONFIGURED = 0.7


@contextmanager
def box_sound() -> Iterator[Sound]:
    edges = sound.edges(AudioConfig(master_volume=CONFIGURED), CONFIGURED, is_musician=True)
    try:
        yield edges
    finally:
        edges.close()


def volume(edges: Sound) -> float:
    return edges.desk.settings.value.master_volume


def after_start(
    directory: Path, *, is_configured: bool = False, turned_to: float | None = None, resume: Resume | None = None
) -> tuple[float, float | None]:
    """How loud it is then, and which volume is to be stored."""
    room, setup = RoomEdges(PeerId("a1")), Latest(Setup(master_volume=turned_to))
    inputs = Inputs(room.state, room.members, room.hosting, setup, Latest(None))

    async def scenario(own: Sound) -> None:
        services = Services()
        store = services.start("store", partial(open_store, directory / "sessions.sqlite", CODE, inputs, Rules()))
        if turned_to is not None:
            own.desk.set_master(turned_to)
        take = partial(keeping.take_volume, own, setup, is_configured=is_configured)
        async with asyncio.timeout(20):
            await keeping.go_on(room, store, CODE, resume, take, alone=True)
        await services.stop()

    with box_sound() as own:
        asyncio.run(scenario(own))
        return volume(own), setup.value.master_volume


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return put(tmp_path, ago_h=1)


def put(directory: Path, ago_h: float) -> Path:
    store = SqliteStore.open(directory / "sessions.sqlite")
    state = {**GOLDEN, "music": {**MUSIC, "masterVolume": STORED}}
    store.save(CODE, state, now=datetime.now(UTC) - timedelta(hours=ago_h))
    store.close()
    return directory


def test_it_is_as_loud_as_before(stored: Path) -> None:
    assert after_start(stored) == (STORED, STORED)


def test_what_the_configuration_says_is_in_force_at_each_start(stored: Path) -> None:
    assert after_start(stored, is_configured=True) == (CONFIGURED, CONFIGURED)


def test_who_turned_it_before_the_store_was_read_is_not_overruled(stored: Path) -> None:
    assert after_start(stored, turned_to=0.5) == (0.5, 0.5)


def test_after_a_day_and_in_a_new_room_it_is_the_configurations(tmp_path: Path) -> None:
    assert after_start(tmp_path) == (CONFIGURED, CONFIGURED)
    assert after_start(put(tmp_path, ago_h=25)) == (CONFIGURED, CONFIGURED)


def test_a_session_that_cannot_be_restored_leaves_the_configurations(stored: Path) -> None:
    assert after_start(stored, resume=Resume(CODE)) == (CONFIGURED, CONFIGURED)
