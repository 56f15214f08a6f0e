"""The database file: made, migrated, set aside; what a person reads when it cannot be used."""

import re
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import DeviceError
from jambridge.store import schema
from jambridge.store.sqlite import SqliteStore

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "sessions.sqlite"


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_new_database_is_private_and_writes_ahead(path: Path) -> None:
    with closing(schema.open_database(path)) as connection:
        connection.execute("INSERT INTO live VALUES ('room:ABC123', 'now', '{}')")
        assert [
            pragma(connection, name) for name in ("user_version", "journal_mode", "synchronous", "foreign_keys")
        ] == [1, "wal", 1, 1]
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert set(modes.values()) == {0o600}


def test_opening_again_changes_nothing(path: Path) -> None:
    for _ in range(2):
        with closing(schema.open_database(path)) as connection:
            assert pragma(connection, "user_version") == 1
    assert not [file for file in path.parent.iterdir() if "backup" in file.name]


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    schema.open_database(path).close()
    path.chmod(0o644)
    schema.open_database(path).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_migration_goes_forward_and_keeps_a_copy_of_what_was(path: Path) -> None:
    store = SqliteStore.open(path)
    store.save("ABC123", {"music": {}}, now=NOW)
    store.close()
    longer = [*schema.MIGRATIONS, "ALTER TABLE sessions ADD COLUMN theme TEXT DEFAULT 'dark'"]

    with closing(schema.open_database(path, longer)) as connection:
        assert connection.execute("SELECT id, theme FROM sessions").fetchall() == [("ABC123", "dark")]
        assert pragma(connection, "user_version") == 2
    backup = path.with_name(f"{path.name}.backup-v1")
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("SELECT id FROM sessions").fetchall() == [("ABC123",)]
        assert copy.execute("PRAGMA user_version").fetchone() == (1,)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_migration_that_fails_leaves_the_database_as_it_was(path: Path) -> None:
    schema.open_database(path).close()

    with pytest.raises(DeviceError):
        schema.open_database(path, [*schema.MIGRATIONS, "CREATE TABLE half (a); CREATE TABLE sessions (b)"])

    with closing(schema.open_database(path)) as connection:
        assert pragma(connection, "user_version") == 1
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchall()


def test_a_newer_database_is_left_alone_and_said(path: Path) -> None:
    with closing(schema.open_database(path)) as connection:
        connection.execute("PRAGMA user_version = 7")

    with pytest.raises(DeviceError, match=r"newer jambridge \(version 7.*store\.path"):
        schema.open_database(path)


def test_another_programs_database_is_left_alone_and_said(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")

    with pytest.raises(DeviceError, match=r"another program's database.*store\.path"):
        schema.open_database(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "sessions.sqlite"
    schema.open_database(path).close()
    return path.read_bytes()


@given(damage=st.binary(min_size=16, max_size=400), at=st.integers(0, 8000))
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, damage: bytes, at: int
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "sessions.sqlite"
    broken = whole[:at] + damage + whole[at + len(damage) :]
    path.write_bytes(broken)

    try:
        schema.open_database(path).close()
    except DeviceError:  # the damage made it a newer version's, or another program's
        assert path.read_bytes() == broken
        return
    aside = [file for file in path.parent.iterdir() if re.fullmatch(r"sessions\.sqlite\.corrupt-[\dT.]+", file.name)]
    assert all(file.read_bytes() == broken for file in aside)


def test_text_instead_of_a_database_is_set_aside_with_a_warning(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("dear diary, " * 1000)

    store = SqliteStore.open(path)
    store.save("ABC123", {"music": {}}, now=NOW)

    (aside,) = path.parent.glob("*.corrupt-*")
    assert aside.read_text().startswith("dear diary")
    assert "the database was damaged" in caplog.text and str(aside) in caplog.text
    assert store.get("ABC123") is not None
    store.close()


def test_two_processes_that_find_it_damaged_make_one_new_database(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("dear diary, " * 1000)
    program = (
        "import sys; from pathlib import Path; from jambridge.store import schema;"
        "c = schema.open_database(Path(sys.argv[1])); c.execute(\"INSERT INTO live VALUES (?, '', '')\", [sys.argv[2]])"
    )

    running = [subprocess.Popen([sys.executable, "-c", program, str(path), str(number)]) for number in range(4)]

    assert [process.wait(60) for process in running] == [0] * 4
    assert len(list(path.parent.glob("*.corrupt-*"))) == 1
    with closing(schema.open_database(path)) as connection:
        assert connection.execute("SELECT count(*) FROM live").fetchone() == (4,)


def test_a_folder_where_the_file_should_be_is_said(path: Path) -> None:
    path.mkdir(parents=True)

    with pytest.raises(DeviceError, match="set store.path"):
        schema.open_database(path)


def test_the_place_of_the_database() -> None:
    assert schema.database_path(None, Path("/state")) == Path("/state/sessions.sqlite")
    assert schema.database_path("/data/x.db", Path("/state")) == Path("/data/x.db")
