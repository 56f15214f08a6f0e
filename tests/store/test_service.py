"""The saver: what is hosted is stored, in time, and whatever happens nobody else notices."""

import asyncio
import itertools
import logging
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from jambridge.errors import DeviceError
from jambridge.store import merging, record
from jambridge.store.merging import Setup
from jambridge.store.outbox import Outbox
from jambridge.store.remote import Endpoint
from jambridge.store.service import Rules, open_store
from jambridge.strict_json import JsonObject
from tests.fakes.rest_table import RestTable
from tests.fakes.waiting import until
from tests.store.golden import GOLDEN, ISOMETRIC, MUSIC, STUDIO
from tests.store.saving import (
    FRIEND,
    GOLDEN_STATE,
    ME,
    NOW,
    Database,
    HandClocks,
    inputs,
    played,
    saving,
)
from tests.store.test_sqlite import fill, locked, mounted

SELDOM = Rules(save_every_s=3600)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "sessions.sqlite")


def put(database: Database, state: JsonObject, session_id: str = "ABC123") -> None:
    store = database.store()
    store.save(session_id, state, now=NOW)
    store.close()


def has_tempo(database: Database, tempo: float) -> bool:
    return database.value("music", "tempo") == tempo


def test_a_session_is_stored_at_once_when_we_host_it(database: Database) -> None:
    async def scenario() -> None:
        async with saving(database.path, inputs(), rules=SELDOM, clocks=HandClocks().clocks) as saver:
            await until(lambda: saver.report.saved_at)

            assert database.state() == {**GOLDEN, "metadata": {**GOLDEN["metadata"]}}
            assert (saver.report.backend, saver.report.pending, saver.report.last_error) == ("sqlite", 0, None)

    asyncio.run(scenario())


def test_who_does_not_host_writes_nothing_not_even_when_leaving(database: Database) -> None:
    async def scenario() -> None:
        given = inputs(hosting=False)
        async with saving(database.path, given):
            given.state.set(played(tempo=99))
            await asyncio.sleep(0.3)  # six times the interval: nothing can be awaited that must not happen

    asyncio.run(scenario())
    assert database.state() is None


def test_changes_are_stored_with_the_next_tick_and_rest_is_not(database: Database) -> None:
    async def scenario() -> None:
        given, hand = inputs(), HandClocks()
        async with saving(database.path, given, clocks=hand.clocks):
            await until(lambda: database.value("metadata", "revision") == 1)
            given.state.set(GOLDEN_STATE.changed("tempo", 160, "b2"))
            given.members.set((ME, FRIEND))
            await until(lambda: database.value("music", "tempo") == 160)
            hand.passes(60)
            await until(lambda: database.value("metadata", "durationMinutes") == 1)

    asyncio.run(scenario())
    state = database.state()
    assert state is not None
    assert {**state["metadata"], "updatedAt": None} == {
        "participantCount": 2,
        "totalStateChanges": 1,
        "durationMinutes": 1,
        "updatedAt": None,
        "revision": 3,
    }


def test_the_last_change_is_stored_when_leaving(database: Database) -> None:
    async def scenario() -> None:
        given = inputs()
        async with saving(database.path, given, rules=SELDOM) as saver:
            await until(lambda: saver.report.saved_at)
            given.state.set(played(tempo=77))

    asyncio.run(scenario())
    assert database.value("music", "tempo") == 77


def test_who_becomes_host_keeps_what_a_browser_stored(database: Database) -> None:
    browsers = {**GOLDEN, "studio": {"loadedModules": [ISOMETRIC], "activeModuleId": "isometric-1"}, "mixer": {"a": 1}}
    browsers["metadata"] = {**GOLDEN["metadata"], "sessionName": "Friday", "durationMinutes": 40, "revision": 12}
    put(database, browsers)

    async def scenario() -> None:
        given, hand = inputs(played(tempo=66), setup=Setup(), hosting=False), HandClocks()
        async with saving(database.path, given, clocks=hand.clocks) as saver:
            assert saver.report.minutes is None
            given.hosting.set(value=True)
            await until(lambda: database.value("music", "tempo") == 66)
            hand.passes(120)
            await until(lambda: database.value("metadata", "durationMinutes") == 42)
            assert saver.report.minutes == 42

    asyncio.run(scenario())
    state = database.state()
    assert state is not None
    assert (state["studio"], state["mixer"]) == (browsers["studio"], {"a": 1})
    assert (state["metadata"]["sessionName"], state["metadata"]["revision"]) == ("Friday", 14)


def test_a_restart_in_an_untouched_room_does_not_erase_the_music(database: Database) -> None:
    put(database, GOLDEN)

    async def scenario() -> None:
        async with saving(database.path, inputs(played(), setup=Setup(), members=(ME, FRIEND)), rules=SELDOM) as saver:
            await until(lambda: saver.report.saved_at)

    asyncio.run(scenario())
    state = database.state()
    assert state is not None and (state["music"], state["studio"]) == (MUSIC, STUDIO)


def test_a_resumed_session_begins_with_what_was_stored(database: Database) -> None:
    async def scenario() -> None:
        given = inputs(played(), setup=Setup())
        resumed = merging.renamed(GOLDEN, "Resumed from OLD123")
        async with saving(database.path, given, resumed=resumed, rules=SELDOM) as saver:
            await until(lambda: saver.report.saved_at)

    asyncio.run(scenario())
    state = database.state()
    assert state is not None and (state["music"], state["studio"]) == (MUSIC, STUDIO)
    assert (state["metadata"]["sessionName"], state["metadata"]["revision"]) == ("Resumed from OLD123", 1)


def test_a_resumed_session_is_stored_in_its_new_room_even_if_nothing_of_it_changes(database: Database) -> None:
    counts = {"participantCount": 1, "totalStateChanges": 0, "durationMinutes": 0}
    resumed = {**merging.renamed(GOLDEN, "Resumed from OLD123"), "metadata": counts}

    async def scenario() -> None:
        async with saving(
            database.path, inputs(played(), setup=Setup(midi_connected=True)), resumed=resumed, rules=SELDOM
        ) as saver:
            await until(lambda: saver.report.saved_at)

    asyncio.run(scenario())
    assert database.state() is not None


def test_a_locked_database_is_said_once_and_written_as_soon_as_it_is_free(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        given = inputs()
        async with saving(database.path, given) as saver:
            await until(lambda: saver.report.saved_at)
            with locked(database.path):
                given.state.set(played(tempo=200))
                await until(lambda: saver.report.last_error)
                assert "another program has locked the database" in str(saver.report.last_error)
                assert await _longest_gap_s(1.0) < 1.0  # the event loop never waits for the disk
            await until(lambda: saver.report.last_error is None)
            await until(lambda: database.value("music", "tempo") == 200)

    caplog.set_level(logging.INFO)
    asyncio.run(scenario())
    assert [line.levelname for line in caplog.records if "sessions are not saved" in line.getMessage()] == [
        "WARNING",
        "INFO",
    ]


def test_a_full_disk_is_shown_and_what_happened_meanwhile_is_stored_when_there_is_room(tmp_path: Path) -> None:
    async def scenario(place: Path) -> None:
        database, given = Database(place / "sessions.sqlite"), inputs()
        async with saving(database.path, given) as saver:
            await until(lambda: saver.report.saved_at)
            filler = fill(place)
            tempi = itertools.cycle([200, 201])

            def changes_until_it_is_shown() -> bool:
                given.state.set(played(tempo=next(tempi)))
                return saver.report.last_error is not None

            await until(changes_until_it_is_shown)
            assert "the disk" in str(saver.report.last_error)
            given.state.set(played(tempo=202))
            filler.unlink()
            await until(lambda: saver.report.last_error is None and has_tempo(database, 202))

    with mounted(tmp_path / "small", 256) as place:
        asyncio.run(scenario(place))


async def _longest_gap_s(seconds: float) -> float:
    longest, last = 0.0, time.monotonic()
    end = last + seconds
    while last < end:
        await asyncio.sleep(0.01)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


def test_leaving_while_the_database_is_locked_takes_half_a_second(database: Database) -> None:
    async def scenario() -> float:
        given = inputs()
        async with saving(database.path, given, rules=SELDOM) as saver:
            await until(lambda: saver.report.saved_at)
            given.state.set(played(tempo=200))
            lock = locked(database.path)
            await asyncio.to_thread(lock.__enter__)
            started = time.monotonic()
        left_s = time.monotonic() - started
        await asyncio.to_thread(lock.__exit__, None, None, None)
        return left_s

    assert asyncio.run(scenario()) < 1.8  # half a second, where SQLite itself would wait two


def test_a_database_that_cannot_be_opened_is_the_services_failure(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_store(tmp_path, "ABC123", inputs(), SELDOM):
            pass

    with pytest.raises(DeviceError, match="set store.path"):
        asyncio.run(scenario())


def test_a_session_larger_than_it_should_be_is_stored_and_said_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    put(database, {**GOLDEN, "x": "y" * record.LARGE_BYTES})

    async def scenario() -> None:
        given, hand = inputs(), HandClocks()
        async with saving(database.path, given, clocks=hand.clocks):
            for minutes in (1, 2, 3):
                hand.passes(60)
                given.state.set(GOLDEN_STATE.changed("tempo", 100 + minutes, "b2"))
                await until(partial(has_tempo, database, 100 + minutes))

    asyncio.run(scenario())
    assert caplog.text.count("larger than it should be") == 1


@pytest.mark.parametrize("jump_h", [-24, 24])
def test_a_clock_that_jumps_a_day_deletes_nothing_and_counts_no_minutes(database: Database, jump_h: int) -> None:
    for name in ("RECENT", "ABC123"):
        put(database, GOLDEN, name)

    async def scenario() -> None:
        given, hand = inputs(members=(ME, FRIEND)), HandClocks()
        async with saving(database.path, given, clocks=hand.clocks) as saver:
            await until(lambda: saver.report.saved_at)
            hand.passes(90)
            hand.wall += timedelta(hours=jump_h)
            given.state.set(played(tempo=61))
            await until(lambda: database.value("music", "tempo") == 61)
            await saver.purge()

    asyncio.run(scenario())
    assert database.state("RECENT") == GOLDEN
    state = database.state()
    assert state is not None and state["metadata"]["durationMinutes"] == 1


def test_a_clock_that_is_a_day_ahead_at_the_start_deletes_nothing_until_it_can_be_set(database: Database) -> None:
    put(database, GOLDEN, "RECENT")

    async def scenario() -> None:
        given, hand = inputs(members=(ME, FRIEND)), HandClocks()
        hand.wall += timedelta(hours=25)
        async with saving(database.path, given, clocks=hand.clocks) as saver:
            for tempo in (61, 62):
                given.state.set(played(tempo=tempo))
                await until(partial(has_tempo, database, tempo))
            hand.wall -= timedelta(hours=25)
            await saver.purge()

    asyncio.run(scenario())
    assert database.state("RECENT") == GOLDEN


def test_old_sessions_are_deleted_at_the_start_but_never_our_own(database: Database) -> None:
    for name in ("OLD123", "ABC123"):
        put(database, GOLDEN, name)

    async def scenario() -> None:
        hand = HandClocks()
        hand.wall += timedelta(hours=25)
        async with saving(database.path, inputs(hosting=False), rules=Rules(first_purge_s=0), clocks=hand.clocks):
            await until(lambda: database.state("OLD123") is None)

    asyncio.run(scenario())
    assert database.state("ABC123") == GOLDEN


def test_without_addresses_none_is_stored(database: Database) -> None:
    async def scenario() -> None:
        rules = Rules(save_every_s=3600, device_ips=False)
        async with saving(database.path, inputs(), rules=rules) as saver:
            await until(lambda: saver.report.saved_at)

    asyncio.run(scenario())
    with closing(sqlite3.connect(database.path)) as connection:
        assert "192.168.1.100" not in connection.execute("SELECT state FROM sessions").fetchone()[0]


def test_a_session_reaches_the_rooms_own_database_and_what_is_new_there_comes_back(database: Database) -> None:
    async def scenario() -> None:
        async with RestTable().open() as table:
            given = inputs(setup=Setup(), remote=table.endpoint)
            async with saving(database.path, given) as saver:
                await until(lambda: table.state("ABC123"))
                await until(lambda: saver.report.pending == 0)
                table.put("ABC123", {**table.state("ABC123"), "studio": STUDIO, "metadata": {"revision": 30}})
                given.state.set(played(tempo=170))
                await until(lambda: database.value("studio", "loadedModules") == STUDIO["loadedModules"])
                await until(lambda: saver.report.pending == 0)

                assert (table.state("ABC123")["music"]["tempo"], table.state("ABC123")["studio"]) == (170, STUDIO)
                assert (saver.report.backend, saver.report.last_error) == ("sqlite+rest", None)

    asyncio.run(scenario())


def test_an_untouched_room_takes_the_music_stored_at_the_rooms_own_database(database: Database) -> None:
    async def scenario() -> None:
        async with RestTable().open() as table:
            table.put("ABC123", GOLDEN)
            async with saving(database.path, inputs(played(), setup=Setup(), remote=table.endpoint)):
                await until(lambda: database.value("music", "tempo") == 140)
            assert table.state("ABC123")["music"] == MUSIC

    asyncio.run(scenario())


def test_what_could_not_be_delivered_is_delivered_after_a_restart_and_only_the_newest(database: Database) -> None:
    async def scenario() -> None:
        async with RestTable().open() as table:
            port, endpoint = int(table.endpoint.url.rpartition(":")[2]), table.endpoint
        given = inputs(setup=Setup(), remote=endpoint)
        async with saving(database.path, given) as saver:
            for tempo in (101, 102, 103):
                given.state.set(played(tempo=tempo))
                await until(partial(has_tempo, database, tempo))
            await until(lambda: saver.report.pending == 1 and saver.report.last_error)
            assert "cannot be reached" in str(saver.report.last_error)
        store = database.store()
        assert [entry.id for entry in Outbox(store, endpoint.url).queued(9)] == ["ABC123"]
        store.close()

        async with RestTable().open(port) as table:
            async with saving(database.path, inputs(hosting=False, remote=endpoint), "OTHER9") as saver:
                await until(lambda: table.state("ABC123"))
                await until(lambda: saver.report.pending == 0)
            assert table.state("ABC123")["music"]["tempo"] == 103
            assert table.requests.count("POST") == 1

    asyncio.run(scenario())


def test_a_database_that_swallows_everything_delays_nothing(database: Database) -> None:
    async def scenario() -> None:
        async with RestTable().open() as table:
            table.silent = True
            given = inputs(remote=table.endpoint)
            started = time.monotonic()
            async with saving(database.path, given) as saver:
                await until(lambda: saver.report.saved_at)
                await until(lambda: table.requests)
                given.state.set(played(tempo=88))
                await until(lambda: database.value("music", "tempo") == 88)
                assert saver.report.pool.active == 1
            assert time.monotonic() - started < 4.9  # not even one of its time-outs was waited for

    asyncio.run(scenario())


def test_the_last_change_is_delivered_when_leaving(database: Database) -> None:
    async def scenario() -> None:
        async with RestTable().open() as table:
            given = inputs(remote=table.endpoint)
            async with saving(database.path, given, rules=SELDOM):
                await until(lambda: table.state("ABC123"))
                given.state.set(played(tempo=77))
            await until(lambda: table.state("ABC123")["music"]["tempo"] == 77)

    asyncio.run(scenario())


def test_a_room_that_moves_is_stored_where_it_is_now(database: Database) -> None:
    async def scenario() -> None:
        async with RestTable().open() as one, RestTable().open() as other:
            given = inputs(remote=None)
            async with saving(database.path, given) as saver:
                await until(lambda: saver.report.saved_at)
                for table in (one, other):
                    given.remote.set(table.endpoint)
                    await until(partial(table.state, "ABC123"))
                given.remote.set(None)
                given.state.set(played(tempo=222))
                await until(lambda: database.value("music", "tempo") == 222)
            assert [table.state("ABC123")["music"]["tempo"] for table in (one, other)] == [140, 140]

    asyncio.run(scenario())


def test_who_hosts_no_more_takes_what_the_new_host_stores(database: Database) -> None:
    theirs = {**GOLDEN, "music": {**MUSIC, "tempo": 55}, "metadata": {"updatedAt": "2999", "revision": 9}}

    async def scenario() -> None:
        async with RestTable().open() as table:
            given = inputs(remote=table.endpoint)
            async with saving(database.path, given) as saver:
                await until(lambda: table.state("ABC123") and saver.report.pending == 0)
                table.answer = (503, b"")
                given.state.set(played(tempo=200))
                await until(lambda: saver.report.pending and saver.report.last_error)
                given.hosting.set(value=False)
                table.put("ABC123", theirs)
                table.answer = None
                await until(lambda: database.value("music", "tempo") == 55)
            assert table.state("ABC123") == theirs

    asyncio.run(scenario())


def test_an_address_that_is_none_is_shown_and_harms_nothing(database: Database) -> None:
    async def scenario() -> None:
        async with saving(database.path, inputs(remote=Endpoint("nonsense", "k"))) as saver:
            await until(lambda: saver.report.saved_at and saver.report.last_error)
            assert "address is none" in str(saver.report.last_error)

    asyncio.run(scenario())
