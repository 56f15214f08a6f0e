"""The eight tests of the session persistence story, with this box's database and the saver."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jambridge.store.merging import Setup
from jambridge.store.remote import Endpoint
from jambridge.store.resuming import Resume, resolve_resume
from jambridge.store.service import Rules
from jambridge.units import RoomCode
from tests.fakes.waiting import until
from tests.store.golden import GOLDEN, GUITAR, HARDWARE, ISOMETRIC, MUSIC, PIANO, STUDIO
from tests.store.saving import (
    GOLDEN_STATE,
    NOW,
    OFTEN,
    SETUP,
    Database,
    HandClocks,
    inputs,
    played,
    saving,
)
from tests.store.test_service import SELDOM

ABC123 = RoomCode("ABC123")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "sessions.sqlite")


def create(database: Database, hand: HandClocks, session_id: str = "ABC123") -> None:
    """Host the session of the story, and leave it."""

    async def scenario() -> None:
        async with saving(database.path, inputs(), session_id, clocks=hand.clocks, rules=SELDOM) as saver:
            await until(lambda: saver.report.saved_at)

    asyncio.run(scenario())


def resume(database: Database, hand: HandClocks, *, play: bool = False) -> Resume:
    store = database.store()
    try:
        return asyncio.run(resolve_resume(store, None, ABC123, hand.wall, play=play, device_ips=True))
    finally:
        store.close()


def test_1_comprehensive_session_persistence(database: Database) -> None:
    create(database, HandClocks())

    state = database.state()

    assert state is not None
    assert state["music"] == {
        "tempo": 140,
        "key": "D",
        "scale": "minor",
        "colorMode": "harmonic",
        "masterVolume": 0.8,
        "isPlaying": False,
    }
    assert state["studio"] == {"loadedModules": [PIANO, GUITAR], "activeModuleId": "guitar-1"}
    assert state["hardware"] == HARDWARE
    metadata = state["metadata"]
    assert [metadata[key] for key in ("participantCount", "totalStateChanges", "durationMinutes")] == [1, 0, 0]


def test_2_periodic_state_updates(database: Database) -> None:
    async def scenario() -> None:
        given, hand = inputs(), HandClocks()
        async with saving(database.path, given, clocks=hand.clocks) as saver:
            await until(lambda: saver.report.saved_at)
            hand.passes(60)
            given.setup.set(
                replace(SETUP, master_volume=0.9, modules=(PIANO, GUITAR, ISOMETRIC), active_module="piano-1")
            )
            given.state.set(GOLDEN_STATE.changed("tempo", 160, "a1"))
            await until(lambda: database.value("metadata", "revision") == 2)

    asyncio.run(scenario())
    state = database.state()
    assert state is not None
    assert state["music"] == {**MUSIC, "tempo": 160, "masterVolume": 0.9}
    assert state["studio"] == {"loadedModules": [PIANO, GUITAR, ISOMETRIC], "activeModuleId": "piano-1"}
    assert (state["metadata"]["totalStateChanges"], state["metadata"]["durationMinutes"]) == (1, 1)


def test_3_session_resume_with_full_state_restoration(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    hand = HandClocks()
    create(database, hand)
    hand.passes(23 * 3600)

    resumed = resume(database, hand)

    assert (resumed.code, resumed.problem) == (ABC123, None)
    assert resumed.state_values == {"tempo": 140, "key": "D", "scale": "minor", "colorMode": "harmonic"}
    steps = [(step.name, step.value) for step in resumed.steps]
    assert ("masterVolume", 0.8) in steps
    assert [value for name, value in steps if name == "module"] == [PIANO, GUITAR]
    assert {("activeModule", "guitar-1"), ("midiInput", "MIDI Keyboard")} <= {
        (name, value) for name, value in steps if isinstance(value, str)
    }
    assert ("wledDevices", HARDWARE["wled"]["devices"]) in steps
    assert "Session ABC123 restored successfully" in caplog.text


def test_3b_an_expired_session_goes_on_in_a_new_room_that_says_so(database: Database) -> None:
    hand = HandClocks()
    create(database, hand)
    hand.passes(24 * 3600)

    resumed = resume(database, hand)
    given = inputs(played(**resumed.state_values), setup=Setup())

    async def scenario() -> None:
        async with saving(
            database.path, given, resumed.code, clocks=hand.clocks, rules=SELDOM, resumed=resumed.stored
        ) as saver:
            await until(lambda: saver.report.saved_at)

    asyncio.run(scenario())
    state = database.state(resumed.code)
    assert resumed.code != ABC123
    assert resumed.session_name == "Resumed from ABC123"
    assert state is not None
    assert (state["music"], state["studio"], state["hardware"]["wled"]) == (MUSIC, STUDIO, HARDWARE["wled"])
    assert {**state["metadata"], "updatedAt": None} == {
        "sessionName": "Resumed from ABC123",
        "participantCount": 1,
        "totalStateChanges": 0,
        "durationMinutes": 0,
        "updatedAt": None,
        "revision": 1,
    }


def test_4_recent_sessions_query(database: Database) -> None:
    hand = HandClocks()
    for name in ("FIRST1", "SECOND", "THIRD3"):
        create(database, hand, name)
        hand.passes(150)
    store = database.store()

    recent = store.recent()
    store.close()

    assert [one.id for one in recent] == ["THIRD3", "SECOND", "FIRST1"]
    assert all(one.state["studio"] == STUDIO and one.state["music"] == MUSIC for one in recent)


def test_5_auto_cleanup(database: Database) -> None:
    hand = HandClocks()
    store = database.store()
    store.save("OLD123", {}, now=NOW - timedelta(hours=25))
    store.save("RECENT", GOLDEN, now=NOW - timedelta(hours=1))
    store.close()

    async def scenario() -> None:
        async with saving(database.path, inputs(), rules=Rules(first_purge_s=0), clocks=hand.clocks) as saver:
            await until(lambda: saver.report.saved_at and database.state("OLD123") is None)

    asyncio.run(scenario())
    assert (database.state("OLD123"), database.state("RECENT")) == (None, GOLDEN)
    assert database.state() is not None


def test_6_database_error_handling(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        given = inputs(remote=Endpoint("http://127.0.0.1:9", "public"))
        async with saving(database.path, given, rules=OFTEN) as saver:
            await until(lambda: saver.report.last_error)
            given.state.set(played(tempo=150))
            await until(lambda: database.value("music", "tempo") == 150)
            assert saver.report.pending == 1

    asyncio.run(scenario())
    assert caplog.text.count("do not reach the room's database") == 1
    assert "Traceback" not in caplog.text


def test_7_state_restoration_error_handling(database: Database) -> None:
    hand = HandClocks()
    create(database, hand)
    store = database.store()
    with store.transaction() as connection:
        connection.execute("UPDATE sessions SET state = '{\"invalid\": true}' WHERE id = 'ABC123'")
    store.close()

    resumed = resume(database, hand)

    assert resumed.problem is not None
    assert resumed.problem.value == "Failed to restore session. Starting with default configuration."
    assert (resumed.code, resumed.state_values, resumed.stored) == (ABC123, {}, None)

    async def scenario() -> None:
        given = inputs(played(), setup=Setup())
        async with saving(database.path, given, clocks=hand.clocks, rules=SELDOM) as saver:
            await until(lambda: saver.report.saved_at)

    asyncio.run(scenario())
    assert database.value("music", "tempo") == 120


def test_8_module_settings_persistence(database: Database) -> None:
    hand = HandClocks()
    create(database, hand)

    modules = {step.value["instanceId"]: step.value for step in resume(database, hand).steps if step.name == "module"}

    assert modules["piano-1"]["settings"] == {"gridSize": 64, "noteRange": {"low": "C2", "high": "C7"}, "velocity": 0.9}
