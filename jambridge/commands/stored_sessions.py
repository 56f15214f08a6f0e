"""`jambridge sessions`: what is stored, and what a session is resumed with."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from rich.table import Table
from rich.text import Text as Line

from jambridge import identity, sections
from jambridge.config import Config
from jambridge.errors import Text, UnavailableError, WireError
from jambridge.store import record, session
from jambridge.store.record import SessionRecord
from jambridge.store.remote import Endpoint, RemoteStore, open_if_known
from jambridge.store.resuming import Resume, resolve_resume
from jambridge.store.schema import database_path
from jambridge.store.sqlite import SqliteStore
from jambridge.strict_json import JsonObject
from jambridge.units import RoomCode

log = logging.getLogger(__name__)


@contextmanager
def opened(settings: Config) -> Iterator[tuple[SqliteStore, Endpoint | None]]:
    """The sessions stored here, and the room's own database."""
    store = SqliteStore.open(database_path(settings.store.path, identity.state_directory()))
    try:
        yield store, sections.endpoint(settings)
    finally:
        store.close()


def resolve(settings: Config, wanted: RoomCode, *, play: bool = False, anew: bool = False) -> Resume:
    """How to go on with a session, or `anew` from its state; raises as `resolve_resume`."""

    async def look_up(store: SqliteStore, endpoint: Endpoint | None) -> Resume:
        async with open_if_known(endpoint) as remote:
            ips = settings.store.device_ips
            now = datetime.now(UTC)
            return await resolve_resume(store, remote, wanted, now, play=play, device_ips=ips, anew=anew)

    with opened(settings) as (store, endpoint):
        return asyncio.run(look_up(store, endpoint))


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
