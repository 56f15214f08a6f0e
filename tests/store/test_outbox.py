"""What waits for the room's own database: once a session, bounded, kept over restarts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jambridge.store import outbox
from jambridge.store.outbox import Outbox
from jambridge.store.sqlite import SqliteStore
from tests.store.golden import GOLDEN

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore.open(tmp_path / "sessions.sqlite")
    for name in ("ABC123", "XYZ789"):
        opened.save(name, GOLDEN, now=NOW)
    yield opened
    opened.close()


def test_a_session_waits_once_however_often_it_is_saved(store: SqliteStore) -> None:
    box = Outbox(store, "https://a.example")
    for number in range(3):
        box.queue("ABC123", NOW + number * SECOND)

    (entry,) = box.queued(9)

    assert (entry.id, entry.attempts, box.pending()) == ("ABC123", 0, 1)
    box.delivered(entry)
    assert box.queued(9) == []


def test_what_is_queued_again_while_it_is_delivered_stays(store: SqliteStore) -> None:
    box = Outbox(store, "https://a.example")
    box.queue("ABC123", NOW)
    (under_way,) = box.queued(9)
    box.queue("ABC123", NOW + SECOND)

    box.delivered(under_way)

    assert [entry.id for entry in box.queued(9)] == ["ABC123"]


def test_what_was_refused_comes_after_the_others(store: SqliteStore) -> None:
    box = Outbox(store, "https://a.example")
    box.queue("ABC123", NOW)
    box.queue("XYZ789", NOW + SECOND)
    box.failed(box.queued(1)[0])

    assert [(entry.id, entry.attempts) for entry in box.queued(9)] == [("XYZ789", 0), ("ABC123", 1)]


def test_each_destination_has_its_own(store: SqliteStore) -> None:
    Outbox(store, "https://a.example").queue("ABC123", NOW)

    assert Outbox(store, "https://b.example").queued(9) == []


def test_it_survives_a_restart_and_forgets_deleted_sessions(store: SqliteStore) -> None:
    for name in ("ABC123", "XYZ789", "NONE99"):
        Outbox(store, "https://a.example").queue(name, NOW)
    again = SqliteStore.open(store.path)

    assert [entry.id for entry in Outbox(again, "https://a.example").queued(9)] == ["ABC123", "XYZ789"]
    again.delete("ABC123")
    assert [entry.id for entry in Outbox(again, "https://a.example").queued(9)] == ["XYZ789"]
    again.close()


def test_the_oldest_go_when_there_are_too_many(store: SqliteStore) -> None:
    box = Outbox(store, "https://a.example")
    for number in range(outbox.MOST_QUEUED + 5):
        store.save(f"R{number:05}", GOLDEN, now=NOW)
        box.queue(f"R{number:05}", NOW + number * SECOND)

    assert box.pending() == outbox.MOST_QUEUED
    assert box.queued(1)[0].id == "R00005"


def test_waits_grow_and_are_bounded() -> None:
    assert [outbox.delay_s(failures) for failures in (1, 2, 3, 9, 99, 10**9)] == [1, 2, 4, 256, 300, 300]
