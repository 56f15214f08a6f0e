"""`jambridge sessions`: what is stored, and what a session is resumed with."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text as Line

from jambridge.errors import LinkError, Text, UnavailableError, WireError
from jambridge.room import code
from jambridge.store import merging, record, session
from jambridge.store.record import SessionRecord
from jambridge.store.remote import RemoteStore
from jambridge.store.restoring import STATE_STEPS, Step, restore
from jambridge.store.sqlite import SqliteStore
from jambridge.strict_json import JsonObject
from jambridge.units import RoomCode

log = logging.getLogger(__name__)

SAME_CODE_H = 24.0
"""A younger session is resumed under its own code."""


@dataclass(frozen=True, slots=True)
class Resume:
    """How to go on with a stored session: in which room, from which state, and what to tell about it."""

    code: RoomCode
    steps: tuple[Step, ...] = ()
    """What to restore, in this order."""
    stored: JsonObject | None = None
    """For `open_store`: the state to begin the stored session with; None: a fresh one."""
    session_name: str | None = None
    problem: Text | None = None
    """An alert for people, if not everything could be restored."""

    @property
    def state_values(self) -> JsonObject:
        """The room's state, for `Sharing.restore`."""
        return {name: value for name, value in self.steps if name in STATE_STEPS}


async def resolve_resume(
    local: SqliteStore, remote: RemoteStore | None, wanted: RoomCode, now: datetime, *, play: bool, device_ips: bool
) -> Resume:
    """Look the session up here and at the room's own database; the newer of both counts.

    Raises:
        UnavailableError: "Session not found": there is none, or it expired and was deleted.
        DeviceError: the database here fails.
    """
    found = _newer(local.get(wanted), await _at_remote(remote, wanted))
    if found is None:
        raise UnavailableError(Text.NOT_FOUND)
    expired = now - found.created_at >= timedelta(hours=SAME_CODE_H)
    goal = code.generate() if expired else wanted
    try:
        state = session.parse(found.state)
    except WireError as exc:
        log.warning("session not restored id=%s error=%s", wanted, exc)
        return Resume(goal, problem=Text.RESTORE_FAILED)
    if state.problems:
        log.warning("session restored in part id=%s damaged=%s", wanted, ", ".join(state.problems[:16]))
    log.info("Session %s restored successfully", wanted)
    stored = merging.renamed(found.state, f"Resumed from {wanted}") if expired else found.state
    return Resume(
        goal,
        restore(state, play=play, device_ips=device_ips),
        stored,
        session.parse(stored).metadata.session_name,
        Text.MODULES_FAILED if state.modules_damaged else None,
    )


def rows(store: SqliteStore, limit: int = 10) -> list[JsonObject]:
    """The newest sessions, each in a line's worth of JSON."""
    return [_row(one) for one in store.recent(limit)]


def table(listed: list[JsonObject]) -> Table:
    """`rows` for people."""
    drawn = Table("Session", "Created", "Last saved", "Music", "Modules", "Minutes", "Name", box=None)
    for one in listed:
        cells = (
            one["id"],
            one["created_at"][:16].replace("T", " "),
            one["updated_at"][:16].replace("T", " "),
            f"{one['tempo']:g} bpm, {one['key']} {one['scale']}" if one["readable"] else "damaged",
            str(one["modules"]),
            str(one["minutes"]),
            one["name"] or "",
        )
        drawn.add_row(*(Line(_one_line(cell)) for cell in cells))  # not markup: names are anybody's
    return drawn


def show(store: SqliteStore, wanted: RoomCode) -> JsonObject:
    """The whole session.

    Raises:
        UnavailableError: there is none.
    """
    found = store.get(wanted)
    if found is None:
        raise UnavailableError(Text.NOT_FOUND)
    return {**_times(found), "state": found.state}


async def delete(local: SqliteStore, remote: RemoteStore | None, wanted: RoomCode) -> None:
    """Delete the session here, and there as well where that is allowed.

    Raises:
        UnavailableError: there is none.
        LinkError: it is deleted here, but not there.
    """
    here = local.delete(wanted)
    there = remote is not None and await remote.delete(wanted)
    if not here and not there:
        raise UnavailableError(Text.NOT_FOUND)


def purge(store: SqliteStore, now: datetime, older_than_h: float) -> int:
    """Delete the sessions that were last saved so long ago; how many."""
    return store.purge(now - timedelta(hours=older_than_h))


async def _at_remote(remote: RemoteStore | None, wanted: RoomCode) -> SessionRecord | None:
    try:
        return await remote.get(wanted) if remote is not None else None
    except LinkError as exc:
        log.warning("the room's database was not asked error=%s", exc)
        return None


def _newer(here: SessionRecord | None, there: SessionRecord | None) -> SessionRecord | None:
    if here is None or there is None:
        return here or there
    return there if merging.is_newer(there.state, here.state) else here


def _times(found: SessionRecord) -> JsonObject:
    return {
        "id": found.id,
        "created_at": record.to_text(found.created_at),
        "updated_at": record.to_text(found.updated_at),
    }


def _row(found: SessionRecord) -> JsonObject:
    try:
        state, readable = session.parse(found.state), True
    except WireError:
        state, readable = session.SessionState(), False
    return {
        **_times(found),
        "readable": readable,
        "name": state.metadata.session_name,
        "tempo": state.music.tempo,
        "key": state.music.key,
        "scale": state.music.scale,
        "modules": len(state.studio.loaded_modules),
        "participants": state.metadata.participant_count,
        "minutes": state.metadata.duration_minutes,
        "changes": state.metadata.total_state_changes,
    }


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text[:64])
