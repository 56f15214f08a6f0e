"""The table `sessions` of a project, tried with the public key: what has to work, and what must not.

It is tried on a row of its own, with a random code, which expires like any other.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from jambridge.doctor.finding import Finding, failure, good, note, quoted, warning
from jambridge.doctor.rest import Answer, Rest

TABLE, INSERT, UPDATE, UPSERT = "table", "insert", "update", "upsert"
BEGINNING, BACKDATING, DELETION, FORM, SIZE, INDEX = "beginning", "backdating", "deletion", "form", "size", "index"
TIDY = "tidying"

_FILES = "scripts/supabase/migrations"
MAKE_TABLE = f"run {_FILES}/001_sessions.sql, then 002, in the project's SQL editor"
MAKE_RULES = f"run {_FILES}/002_row_level_security.sql in the project's SQL editor"
_NO_TABLE = {"42P01", "PGRST205"}
_NO_COLUMN = {"42703", "PGRST204"}
_NO_RIGHT = "42501"
_VIOLATED = "23514"
_STATE = {"music": {"tempo": 120, "isPlaying": False}, "metadata": {"sessionName": "jambridge doctor", "revision": 1}}
_NOT_SMALL = "x" * 100_000
_SKEW_S = 120.0


class Table:
    """The table of one project, or of a hub, whose members may delete since it has no owner who could."""

    def __init__(self, rest: Rest, codes: Sequence[str], server_now: datetime, *, hub: bool) -> None:
        self._rest = rest
        self._code, self._second = codes
        self._now = server_now
        self._hub = hub
        self._strays: set[str] = set()
        """What should not have been inserted, and was."""

    @property
    def rules(self) -> dict[str, Callable[[], Awaitable[Finding]]]:
        """What is tried on an inserted row, the deletion last."""
        return {
            UPDATE: self.update,
            UPSERT: self.upsert,
            BEGINNING: self.beginning,
            BACKDATING: self.backdating,
            FORM: self.form,
            SIZE: self.size,
            DELETION: self.deletion,
        }

    async def columns(self) -> Finding:
        answer = await self._rest.sessions("GET", "?select=id,created_at,state&limit=0")
        if answer.code in _NO_TABLE:
            return failure(TABLE, "there is no table `sessions`", MAKE_TABLE)
        if answer.code in _NO_COLUMN:
            return failure(TABLE, f"it has other columns than id, created_at and state: {answer}", MAKE_TABLE)
        if answer.code == _NO_RIGHT:
            return failure(TABLE, f"the public key may not read it: {answer}", MAKE_RULES)
        if not answer.ok or not isinstance(answer.body, list):
            return failure(TABLE, f"it cannot be read: {answer}", MAKE_TABLE)
        return good(TABLE, "`sessions` has id, created_at and state")

    async def insert(self) -> Finding:
        answer = await self._rest.sessions("POST", "", {"id": self._code, "state": _STATE})
        if not answer.ok:
            return failure(INSERT, f"a session cannot be inserted: {answer}", MAKE_RULES)
        if not answer.rows:
            return failure(INSERT, "an inserted session cannot be read", MAKE_RULES)
        wrong = self._wrong_types(answer.rows[0])
        if wrong is not None:
            return failure(INSERT, wrong, "rename the table, and " + MAKE_TABLE)
        return good(INSERT, f"a session {self._code} was inserted, created_at by the server")

    async def update(self) -> Finding:
        answer = await self._rest.sessions("PATCH", self._mine, {"state": {**_STATE, "doctor": 2}})
        if not answer.ok or not answer.rows:
            return failure(UPDATE, f"a session cannot be changed: {answer}", MAKE_RULES)
        return good(UPDATE, "a session can be changed")

    async def upsert(self) -> Finding:
        body = {"id": self._code, "state": {**_STATE, "doctor": 3}}
        answer = await self._rest.sessions("POST", "", body, "resolution=merge-duplicates")
        if not answer.ok:
            return failure(UPSERT, f"an upsert is refused (it needs the right to update id): {answer}", MAKE_RULES)
        return good(UPSERT, "a session can be upserted")

    async def beginning(self) -> Finding:
        answer = await self._rest.sessions("PATCH", self._mine, {"created_at": self._ago(hours=0.5)})
        if answer.ok and answer.rows:
            return failure(BEGINNING, "anybody can move created_at, and so keep or hide sessions for ever", MAKE_RULES)
        return self._must_be_refused(BEGINNING, answer, "created_at cannot be moved")

    async def backdating(self) -> Finding:
        answer = await self._insert_stray({"id": self._second, "state": {}, "created_at": self._ago(hours=25)})
        if answer.ok:
            return failure(BACKDATING, "anybody can insert a session of yesterday", MAKE_RULES)
        return self._must_be_refused(BACKDATING, answer, "a session begins now")

    async def form(self) -> Finding:
        stray = f"doctor-{self._second.lower()}"
        answer = await self._insert_stray({"id": stray, "state": {}})
        if answer.ok:
            return warning(FORM, "an id may be anything, not only a room code", MAKE_RULES)
        return self._must_be_refused(FORM, answer, "an id is a room code")

    async def size(self) -> Finding:
        answer = await self._rest.sessions("PATCH", self._mine, {"state": {"music": {}, "doctor": _NOT_SMALL}})
        if answer.ok and answer.rows:
            return warning(SIZE, "a state may have any size: anybody can fill the project", MAKE_RULES)
        return self._must_be_refused(SIZE, answer, "a state is a small object")

    async def deletion(self) -> Finding:
        """A deletion that a policy blocks is a success without rows: the row itself is asked."""
        answer = await self._rest.sessions("DELETE", self._mine)
        left = (await self._rest.sessions("GET", f"{self._mine}&select=id")).rows
        if self._hub:
            return good(DELETION, "a hub has no owner: its members may delete")
        if not left:
            return failure(DELETION, "anybody with the public key can delete sessions", MAKE_RULES)
        if answer.ok or answer.code == _NO_RIGHT:
            return good(DELETION, "nobody deletes with the public key")
        return warning(DELETION, f"a deletion failed, though not for want of the right: {answer}", MAKE_RULES)

    def index(self) -> Finding:
        if self._hub:
            return good(INDEX, "a hub makes its own")
        return note(
            INDEX,
            "the public key cannot see whether created_at has its index, nor whether old sessions are deleted",
            f"{_FILES}/001 and 004 see to both",
        )

    async def tidy(self) -> Finding:
        """Take away what was inserted, as far as the rules allow."""
        left = [code for code in (self._code, *sorted(self._strays)) if not await self._removed(code)]
        if left:
            return note(TIDY, f"{', '.join(left)} cannot be deleted with this key, and expires within 24 hours")
        return good(TIDY, "nothing is left behind")

    @property
    def _mine(self) -> str:
        return f"?id=eq.{self._code}"

    def _ago(self, hours: float) -> str:
        return (self._now - timedelta(hours=hours)).isoformat()

    async def _insert_stray(self, row: dict[str, Any]) -> Answer:
        answer = await self._rest.sessions("POST", "", row)
        if answer.ok:
            self._strays.add(row["id"])
        return answer

    async def _removed(self, code: str) -> bool:
        await self._rest.sessions("DELETE", f"?id=eq.{code}")
        return not (await self._rest.sessions("GET", f"?id=eq.{code}&select=id")).rows

    def _must_be_refused(self, check: str, answer: Answer, rule: str) -> Finding:
        if answer.ok or answer.code in {_NO_RIGHT, _VIOLATED}:
            return good(check, rule)
        return warning(check, f"it was refused, though for another reason: {answer}", MAKE_RULES)

    def _wrong_types(self, row: dict[str, Any]) -> str | None:
        if not isinstance(row.get("state"), dict):
            return "state is no jsonb: it comes back as text"
        try:
            created = datetime.fromisoformat(str(row.get("created_at")))
        except ValueError:
            return f"created_at is no time: {quoted(row.get('created_at'))}"
        if created.tzinfo is None:
            return "created_at has no time zone: it must be timestamptz"
        if abs((created.astimezone(UTC) - self._now).total_seconds()) > _SKEW_S:
            return f"created_at is not the present, but {quoted(row['created_at'])}: its default must be now()"
        return None
