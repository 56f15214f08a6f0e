"""The database file of this box: opened, migrated forward, and set aside when damaged.

Two processes share it, the daemon and the hub: WAL, and a lock file while one of them opens or migrates.
"""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from jambridge.errors import DeviceError

log = logging.getLogger(__name__)

BUSY_MS = 2000
"""A checkpoint on a slow card takes a second; who waits longer tries again later."""
OPENING_S = 5.0

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        state TEXT NOT NULL
    );
    CREATE INDEX sessions_created_at ON sessions (created_at);
    CREATE TABLE outbox (
        id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        destination TEXT NOT NULL,
        queued_at TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (id, destination)
    ) WITHOUT ROWID;
    CREATE TABLE live (topic TEXT PRIMARY KEY, updated_at TEXT NOT NULL, state TEXT NOT NULL);
    """,
)
"""Entry n leads from version n to n + 1; entries are added, never changed."""


def database_path(configured: str | None, state_directory: Path) -> Path:
    """`store.path`, or its place in the state directory."""
    return Path(configured).expanduser() if configured else state_directory / "sessions.sqlite"


class _DamagedError(Exception):
    """The file is no database, or not a whole one."""


def open_database(path: Path, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """Open, or make, the database at `path`; transactions are begun by hand, any thread may use it (one at a time).

    Raises:
        DeviceError: it cannot be opened, is of a newer version, or is somebody else's; the sentence says what to do.
    """
    with _alone(path), device_errors(path):
        try:
            return _open(path, migrations)
        except _DamagedError as exc:
            aside = _set_aside(path)
            log.warning(
                "the database was damaged; a new one is begun cause=%s kept=%s", " ".join(str(exc).split()), aside
            )
            return _open(path, migrations)


@contextmanager
def device_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk raise into DeviceError with a sentence."""
    try:
        yield
    except sqlite3.Error as exc:
        raise DeviceError(_sentence(path, exc)) from exc
    except UnicodeDecodeError as exc:  # SQLite quotes damaged text, and Python cannot read its complaint
        raise DeviceError(f"{path}: the database is damaged: it is set aside at the next start") from exc
    except OSError as exc:
        raise DeviceError(f"{path}: {exc.strerror}: sessions are not saved (set store.path)") from exc


def _sentence(path: Path, exc: sqlite3.Error) -> str:
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    known = {
        sqlite3.SQLITE_FULL: "the disk is full: sessions are not saved until there is room",
        sqlite3.SQLITE_BUSY: "another program has locked the database: sessions are saved as soon as it lets go",
        sqlite3.SQLITE_READONLY: "the database cannot be written: check its owner and mode",
        sqlite3.SQLITE_CANTOPEN: "the database cannot be opened: check its folder's owner and mode, or set store.path",
        sqlite3.SQLITE_IOERR: "the disk fails, or is full: sessions are not saved",
        sqlite3.SQLITE_CORRUPT: "the database is damaged: it is set aside at the next start",
    }
    return f"{path}: {known.get(code, 'the database refuses')} ({exc})"


def _open(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if path.stat().st_uid == os.geteuid():
        path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    connection.text_factory = partial(
        str, encoding="utf-8", errors="replace"
    )  # one damaged row must not hide the others
    try:
        _prepare(connection, path, migrations)
    except UnicodeDecodeError as exc:
        connection.close()
        raise _DamagedError("SQLite's complaint quotes damaged text") from exc
    except sqlite3.DatabaseError as exc:
        connection.close()
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise _DamagedError(str(exc)) from exc
        raise
    except (DeviceError, _DamagedError):
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise _DamagedError(found)
    version = _version(connection)
    if version > len(migrations):
        raise DeviceError(
            f"{path}: written by a newer jambridge (version {version}, this one knows {len(migrations)}):"
            " install that one, or set store.path to another file"
        )
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if version == 0 and tables:
        raise DeviceError(f"{path}: another program's database: set store.path to another file")
    if version > 0 and not tables:
        raise _DamagedError("its tables are missing")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    if 0 < version < len(migrations):
        _back_up(connection, path, version)
    for number in range(version, len(migrations)):
        connection.executescript(f"BEGIN IMMEDIATE; {migrations[number]}; PRAGMA user_version = {number + 1}; COMMIT;")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """A copy of the whole file before it is changed: complete, or not there."""
    unfinished = path.with_name(f"{path.name}.backup-v{version}.tmp")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished)) as copy:
        connection.backup(copy)
    unfinished.chmod(0o600)
    unfinished.replace(path.with_name(f"{path.name}.backup-v{version}"))


def _set_aside(path: Path) -> Path:
    """Rename the damaged file and its log; nothing is deleted."""
    aside = path.with_name(f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    for ending in ("-wal", "-shm", ""):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time opens the file: two that both find it damaged would set aside the new one as well."""
    with device_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(lock, path)
        yield
    finally:
        os.close(lock)


def _take(lock: int, path: Path) -> None:
    deadline = time.monotonic() + OPENING_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise DeviceError(f"{path}: another process has been opening the database for {OPENING_S} s") from None
            time.sleep(0.02)
        else:
            return
