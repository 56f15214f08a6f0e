"""What must still reach the room's database: ids only, so that the newest is sent. Kept over restarts."""

from datetime import datetime
from typing import NamedTuple

from jambridge.store import record
from jambridge.store.sqlite import SqliteStore

MOST_QUEUED = 200
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 300.0


class Entry(NamedTuple):
    """One session to deliver; `queued_at` tells whether it was queued once more meanwhile."""

    id: str
    queued_at: str
    attempts: int


def delay_s(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return float(min(FIRST_DELAY_S * 2 ** min(failures - 1, 16), LONGEST_DELAY_S))


class Outbox:
    """The queue for one destination. All methods raise DeviceError when the disk or the database fails."""

    def __init__(self, store: SqliteStore, destination: str) -> None:
        self._store = store
        self._destination = destination

    def queue(self, session_id: str, now: datetime) -> None:
        """Deliver the session again; the oldest entries go when there are too many, whatever their destination."""
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT INTO outbox (id, destination, queued_at) SELECT id, ?, ? FROM sessions WHERE id = ?"
                " ON CONFLICT (id, destination) DO UPDATE SET queued_at = excluded.queued_at",
                (self._destination, record.to_text(now), session_id),
            )
            connection.execute(
                "DELETE FROM outbox WHERE (id, destination) IN"
                " (SELECT id, destination FROM outbox ORDER BY queued_at DESC LIMIT -1 OFFSET ?)",
                (MOST_QUEUED,),
            )

    def queued(self, limit: int) -> list[Entry]:
        """Those tried least come first: one that is always refused does not hold up the others."""
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT id, queued_at, attempts FROM outbox WHERE destination = ? ORDER BY attempts, queued_at LIMIT ?",
                (self._destination, limit),
            ).fetchall()
        return [Entry(*row) for row in rows]

    def delivered(self, entry: Entry) -> None:
        """Done with `entry`, unless it was queued again while it was under way."""
        with self._store.transaction() as connection:
            connection.execute(
                "DELETE FROM outbox WHERE id = ? AND destination = ? AND queued_at = ?",
                (entry.id, self._destination, entry.queued_at),
            )

    def failed(self, entry: Entry) -> None:
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE outbox SET attempts = attempts + 1 WHERE id = ? AND destination = ?",
                (entry.id, self._destination),
            )

    def pending(self) -> int:
        with self._store.reading() as connection:
            row = connection.execute("SELECT count(*) FROM outbox WHERE destination = ?", (self._destination,))
            return int(row.fetchone()[0])
