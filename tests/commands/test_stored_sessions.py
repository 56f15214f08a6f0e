"""`jambridge sessions`: listing, showing, resuming, deleting."""

import asyncio
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from jambridge.commands import stored_sessions
from jambridge.errors import LinkError, Text, UnavailableError
from jambridge.room import code
from jambridge.store.remote import RemoteStore, open_remote
from jambridge.store.resuming import Resume, resolve_resume
from jambridge.store.sqlite import SqliteStore
from jambridge.strict_json import JsonObject
from jambridge.units import RoomCode
from tests.fakes.rest_table import RestTable
from tests.store.golden import GOLDEN, MUSIC, PIANO

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ABC123 = RoomCode("ABC123")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore.open(tmp_path / "sessions.sqlite")
    yield opened
    opened.close()


def resolve(store: SqliteStore, remote: RemoteStore | None = None, at: datetime = NOW, **more: Any) -> Resume:
    options = {"play": False, "device_ips": True, **more}
    return asyncio.run(resolve_resume(store, remote, ABC123, at, **options))


@pytest.mark.parametrize(
    ("age", "same"), [(-24 * HOUR, True), (0 * HOUR, True), (23.9 * HOUR, True), (24 * HOUR, False), (48 * HOUR, False)]
)
def test_a_session_is_resumed_under_its_code_for_a_day(store: SqliteStore, age: timedelta, *, same: bool) -> None:
    store.save(ABC123, GOLDEN, now=NOW - age)

    resumed = resolve(store)

    assert (resumed.code == ABC123) is same
    assert code.parse(resumed.code) == resumed.code
    assert resumed.session_name == (None if same else "Resumed from ABC123")
    assert resumed.stored is not None and resumed.stored["studio"] == GOLDEN["studio"]


def test_the_age_counts_from_the_creation_and_not_from_the_last_save(store: SqliteStore) -> None:
    store.save(ABC123, GOLDEN, now=NOW - 30 * HOUR)
    store.save(ABC123, GOLDEN, now=NOW)

    assert resolve(store).code != ABC123


def test_a_template_begins_a_session_of_its_own_however_young_it_is(store: SqliteStore) -> None:
    store.save(ABC123, GOLDEN, now=NOW)

    made, again = resolve(store, anew=True), resolve(store, anew=True)

    assert len({ABC123, made.code, again.code}) == 3
    assert made.session_name == "Made from ABC123"
    assert made.state_values == resolve(store).state_values
    assert made.stored is not None and made.stored["studio"] == GOLDEN["studio"]
    assert "totalStateChanges" not in made.stored["metadata"]


def test_nothing_plays_unless_it_is_asked(store: SqliteStore) -> None:
    store.save(ABC123, {**GOLDEN, "music": {**MUSIC, "isPlaying": True}}, now=NOW)

    assert "isPlaying" not in resolve(store).state_values
    assert resolve(store, play=True).steps[-1] == ("isPlaying", True)


def test_a_session_that_is_not_there_is_not_found(store: SqliteStore) -> None:
    with pytest.raises(UnavailableError, match="^Session not found$"):
        resolve(store)


def test_a_damaged_session_starts_with_defaults_and_says_so(store: SqliteStore) -> None:
    store.save(ABC123, {"invalid": True}, now=NOW)

    assert resolve(store) == Resume(ABC123, problem=Text.RESTORE_FAILED)


def test_damaged_modules_are_said_and_the_rest_is_restored(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.save(ABC123, {**GOLDEN, "studio": {"loadedModules": [PIANO, {"label": "?"}]}}, now=NOW)

    resumed = resolve(store)

    assert resumed.problem == "Some modules could not be loaded. Check console for details."
    assert resumed.state_values["tempo"] == 140
    assert [step.value for step in resumed.steps if step.name == "module"] == [PIANO]
    assert "studio.loadedModules[1]" in caplog.text


def with_remote(store: SqliteStore, there: JsonObject | None, *, answers: bool = True) -> Resume:
    async def scenario() -> Resume:
        async with RestTable().open() as table, open_remote(table.endpoint) as remote:
            if there is not None:
                table.put(ABC123, there)
            if not answers:
                table.answer = (503, b"")
            now = datetime.now(UTC)
            return await resolve_resume(store, remote, ABC123, now, play=False, device_ips=True)

    return asyncio.run(scenario())


def at(updated: str, tempo: float) -> JsonObject:
    return {**GOLDEN, "music": {**MUSIC, "tempo": tempo}, "metadata": {**GOLDEN["metadata"], "updatedAt": updated}}


@pytest.mark.parametrize(
    ("here", "there", "tempo"),
    [
        (None, at("2026-11-21T09:00", 90), 90),
        (at("2026-11-21T09:00", 80), None, 80),
        (at("2026-11-21T09:00", 80), at("2026-11-21T10:00", 90), 90),
        (at("2026-11-21T11:00", 80), at("2026-11-21T10:00", 90), 80),
        ({"invalid": True}, at("2026-11-21T10:00", 90), 90),
    ],
)
def test_the_newer_of_here_and_there_counts(
    store: SqliteStore, here: JsonObject | None, there: JsonObject | None, tempo: float
) -> None:
    if here is not None:
        store.save(ABC123, here, now=datetime.now(UTC))

    assert with_remote(store, there).state_values["tempo"] == tempo


def test_a_remote_that_fails_does_not_keep_us_from_what_is_here(store: SqliteStore) -> None:
    store.save(ABC123, GOLDEN, now=datetime.now(UTC))

    assert with_remote(store, None, answers=False).state_values["tempo"] == 140


def test_listing_shows_the_newest_first_and_damaged_ones_as_such(store: SqliteStore) -> None:
    store.save(ABC123, GOLDEN, now=NOW)
    store.save("BAD999", {"invalid": True}, now=NOW + HOUR)
    store.save("NAMED1", {**GOLDEN, "metadata": {"sessionName": "[red]Friday\x1b[2J"}}, now=NOW + 2 * HOUR)

    rows = stored_sessions.rows(store)

    assert [(row["id"], row["readable"]) for row in rows] == [("NAMED1", True), ("BAD999", False), ("ABC123", True)]
    assert json.loads(json.dumps(rows)) == rows
    printed = io.StringIO()
    Console(file=printed, width=160).print(stored_sessions.table(rows))
    text = printed.getvalue()
    assert "140 bpm, D minor" in text and "damaged" in text and "[red]Friday" in text
    assert "\x1b" not in text


def test_showing_gives_the_whole_session(store: SqliteStore) -> None:
    store.save(ABC123, GOLDEN, now=NOW)

    assert stored_sessions.show(store, ABC123) == {
        "id": "ABC123",
        "created_at": "2026-11-21T09:00:00.000000+00:00",
        "updated_at": "2026-11-21T09:00:00.000000+00:00",
        "state": GOLDEN,
    }
    with pytest.raises(UnavailableError, match="Session not found"):
        stored_sessions.show(store, RoomCode("NONE99"))


def test_purging_by_age(store: SqliteStore) -> None:
    store.save("OLD123", GOLDEN, now=NOW - 25 * HOUR)
    store.save(ABC123, GOLDEN, now=NOW - 2 * HOUR)

    assert [stored_sessions.purge(store, NOW, hours) for hours in (24, 24, 1)] == [1, 0, 1]


def test_deleting_here_and_there(store: SqliteStore) -> None:
    async def scenario() -> None:
        async with RestTable().open() as table, open_remote(table.endpoint) as remote:
            for here, there in ((True, True), (True, False), (False, True)):
                if here:
                    store.save(ABC123, GOLDEN, now=NOW)
                if there:
                    table.put(ABC123, GOLDEN)
                await stored_sessions.delete(store, remote, ABC123)
                assert store.get(ABC123) is None and table.rows == {}
            with pytest.raises(UnavailableError, match="Session not found"):
                await stored_sessions.delete(store, remote, ABC123)
            store.save(ABC123, GOLDEN, now=NOW)
            table.put(ABC123, GOLDEN)
            table.deletable = False
            with pytest.raises(LinkError, match="deletes it itself"):
                await stored_sessions.delete(store, remote, ABC123)
            assert store.get(ABC123) is None

    asyncio.run(scenario())
