"""Sessions in the box's own database, and what happens to them when the disk or another process is against it."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jambridge.errors import DeviceError, WireError
from jambridge.store import record
from jambridge.store.sqlite import SqliteStore
from jambridge.strict_json import JsonObject
from tests.store.golden import GOLDEN

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore.open(path)
    yield opened
    opened.close()


def test_a_session_is_saved_and_read(store: SqliteStore) -> None:
    store.save("ABC123", GOLDEN, now=NOW)
    store.save("ABC123", {**GOLDEN, "x": 1}, now=NOW + MINUTE)

    found = store.get("ABC123")

    assert found is not None
    assert (found.id, found.created_at, found.updated_at) == ("ABC123", NOW, NOW + MINUTE)
    assert found.state == {**GOLDEN, "x": 1}
    assert store.get("NONE99") is None


def test_inserting_does_not_replace(store: SqliteStore) -> None:
    assert store.insert("ABC123", GOLDEN, now=NOW)
    assert not store.insert("ABC123", {}, now=NOW)
    assert [one.state for one in store.recent()] == [GOLDEN]


def test_the_newest_sessions_come_first(store: SqliteStore) -> None:
    for number in range(12):
        store.save(f"ROOM{number:02}", GOLDEN, now=NOW + number * MINUTE)

    assert [one.id for one in store.recent(3)] == ["ROOM11", "ROOM10", "ROOM09"]
    assert (len(store.recent()), store.count()) == (10, 12)


def test_an_update_sees_what_is_there_and_may_write_nothing(store: SqliteStore) -> None:
    seen: list[JsonObject | None] = []

    def change(present: JsonObject | None) -> JsonObject | None:
        seen.append(present)
        return None if len(seen) == 3 else {"count": len(seen)}

    assert [store.update("ABC123", change, now=NOW + number * MINUTE) for number in range(3)] == [
        {"count": 1},
        {"count": 2},
        None,
    ]
    assert seen == [None, {"count": 1}, {"count": 2}]
    assert [(one.created_at, one.updated_at) for one in store.recent()] == [(NOW, NOW + MINUTE)]


def test_an_exception_in_a_transaction_takes_everything_back(store: SqliteStore) -> None:
    store.save("ABC123", GOLDEN, now=NOW)

    def half() -> None:
        with store.transaction():
            store.delete("ABC123")
            store.save("XYZ789", GOLDEN, now=NOW)
            raise KeyError

    with pytest.raises(KeyError):
        half()

    assert [one.id for one in store.recent()] == ["ABC123"]


def test_deleting(store: SqliteStore) -> None:
    store.save("ABC123", GOLDEN, now=NOW)

    assert [store.delete("ABC123"), store.delete("ABC123")] == [True, False]


def test_purging_goes_by_the_last_activity_and_spares_what_is_named(store: SqliteStore) -> None:
    for name, age_h in (("OLD123", 25), ("INUSE9", 30), ("RECENT", 23)):
        store.save(name, GOLDEN, now=NOW - timedelta(hours=age_h))
    store.save("ACTIVE", GOLDEN, now=NOW - timedelta(hours=48))
    store.save("ACTIVE", GOLDEN, now=NOW)

    assert store.purge(NOW - timedelta(hours=24), keep={"INUSE9"}) == 1
    assert {one.id for one in store.recent()} == {"INUSE9", "RECENT", "ACTIVE"}


@pytest.mark.parametrize("state", [{"a": float("inf")}, {"a": "x" * record.MAX_BYTES}])
def test_what_cannot_be_stored_leaves_what_is(store: SqliteStore, state: JsonObject) -> None:
    store.save("ABC123", GOLDEN, now=NOW)
    for save in (
        lambda: store.save("ABC123", state, now=NOW),
        lambda: store.update("ABC123", lambda _: state, now=NOW),
        lambda: store.insert("XYZ789", state, now=NOW),
    ):
        with pytest.raises(WireError):
            save()

    assert [(one.id, one.state) for one in store.recent()] == [("ABC123", GOLDEN)]


@pytest.mark.parametrize(
    "column", ["'{'", "'[1]'", "'NaN'", "5", "x'ff00ff'", "CAST(x'7b22ff227d' AS TEXT)", "''", f"'{'[' * 50}'"]
)
def test_a_corrupt_row_is_an_empty_state_and_hides_no_other(store: SqliteStore, column: str) -> None:
    store.save("ABC123", GOLDEN, now=NOW)
    store.save("BAD999", GOLDEN, now=NOW + MINUTE)
    with store.transaction() as connection:
        connection.execute(f"UPDATE sessions SET state = {column} WHERE id = 'BAD999'")

    found = store.get("BAD999")

    assert found is not None and found.state in ({}, {"�": None}) and found.created_at == NOW + MINUTE
    assert [one.id for one in store.recent()] == ["BAD999", "ABC123"]


def test_a_row_with_a_time_that_is_none_is_very_old(store: SqliteStore) -> None:
    store.save("ABC123", GOLDEN, now=NOW)
    with store.transaction() as connection:
        connection.execute("UPDATE sessions SET created_at = 'soon'")

    assert [one.created_at.year for one in store.recent()] == [1970]


LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process holds the database until the end."""
    other = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None and other.stdout is not None
    assert other.stdout.readline() == "locked\n"
    try:
        yield
    finally:
        other.communicate(timeout=20)


def test_a_database_locked_by_another_process_is_read_but_not_written_and_said(store: SqliteStore, path: Path) -> None:
    store.save("ABC123", GOLDEN, now=NOW)

    with locked(path):
        with pytest.raises(DeviceError, match="another program has locked the database"):
            store.save("ABC123", {}, now=NOW)
        assert [one.state for one in store.recent()] == [GOLDEN]

    store.save("ABC123", {}, now=NOW)


@contextmanager
def mounted(place: Path, kib: int = 64) -> Iterator[Path]:
    """A file system as small as that at `place`."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "small") as place:
        yield place


def fill(place: Path) -> Path:
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 1024)
    return filler


def test_a_full_disk_is_said_and_leaves_no_half_database(small_disk: Path) -> None:
    filler = fill(small_disk)

    with pytest.raises(DeviceError, match="disk"):
        SqliteStore.open(small_disk / "sessions.sqlite")

    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    store = SqliteStore.open(small_disk / "sessions.sqlite")
    store.save("ABC123", GOLDEN, now=NOW)
    assert [one.state for one in store.recent()] == [GOLDEN]
    store.close()


def test_a_disk_that_fills_up_keeps_what_was_saved_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=256k", str(small_disk)], check=True)
    store = SqliteStore.open(small_disk / "sessions.sqlite")
    store.save("ABC123", GOLDEN, now=NOW)
    filler = fill(small_disk)

    def save_until_it_fails() -> None:
        for number in range(100):
            store.save(f"FULL{number:02}", {**GOLDEN, "x": "y" * 4000}, now=NOW)

    with pytest.raises(DeviceError, match="the disk"):
        save_until_it_fails()

    found = store.get("ABC123")
    assert found is not None and found.state == GOLDEN
    filler.unlink()
    store.save("ABC123", {**GOLDEN, "x": 1}, now=NOW)
    store.close()
    with closing(sqlite3.connect(small_disk / "sessions.sqlite")) as again:
        assert again.execute("PRAGMA integrity_check").fetchone() == ("ok",)


COUNTER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from jambridge.store.sqlite import SqliteStore
store = SqliteStore.open(Path(sys.argv[1]))
for _ in range(100):
    store.update("ABC123", lambda state: {"count": (state or {"count": 0})["count"] + 1}, now=datetime.now(UTC))
"""


def test_two_processes_lose_nothing_of_each_others_changes(path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", COUNTER, str(path)]) for _ in range(3)]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    store = SqliteStore.open(path)
    assert [one.state for one in store.recent()] == [{"count": 300}]
    store.close()


WRITER = """
import itertools, sys
from datetime import UTC, datetime
from pathlib import Path
from jambridge.store.sqlite import SqliteStore
store = SqliteStore.open(Path(sys.argv[1]))
start = (store.get("ABC123") or None) and store.get("ABC123").state["count"]
for count in itertools.count((start or 0) + 1):
    store.save("ABC123", {"count": count, "x": "y" * (count * 997 % 9000)}, now=datetime.now(UTC))
    print(count, flush=True)
"""


def test_whatever_was_saved_survives_a_killed_writer(path: Path) -> None:
    said = 0
    for round_number in range(8):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(5 + 13 * round_number):
            said = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        said = max([said, *(int(line) for line in writer.stdout.read().splitlines() if line)])
        writer.wait(20)

        store = SqliteStore.open(path)
        found = store.get("ABC123")
        store.close()

        assert found is not None and found.state["count"] >= said
        assert len(found.state["x"]) == found.state["count"] * 997 % 9000
    assert not list(path.parent.glob("*.corrupt-*"))
