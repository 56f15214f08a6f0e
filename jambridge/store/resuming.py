"""Going on with a stored session: in which room, from which state."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from jambridge.errors import DeviceError, LinkError, Text, UnavailableError, WireError
from jambridge.room import code
from jambridge.store import merging, session
from jambridge.store.record import SessionRecord
from jambridge.store.remote import Endpoint, RemoteStore, open_if_known
from jambridge.store.restoring import STATE_STEPS, Step, restore
from jambridge.store.service import Saver
from jambridge.store.sqlite import SqliteStore
from jambridge.strict_json import JsonObject
from jambridge.units import RoomCode

log = logging.getLogger(__name__)

SAME_CODE_H = 24.0
"""A younger session is resumed under its own code."""
ABSENCE = timedelta(hours=SAME_CODE_H)
"""A box that was switched off goes on where it was, unasked, but does not play by itself."""


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
    def master_volume(self) -> float | None:
        return next((value for name, value in self.steps if name == "masterVolume"), None)

    @property
    def state_values(self) -> JsonObject:
        """The room's state, for `Sharing.restore`."""
        return {name: value for name, value in self.steps if name in STATE_STEPS}


async def resolve_resume(
    local: SqliteStore,
    remote: RemoteStore | None,
    wanted: RoomCode,
    now: datetime,
    *,
    play: bool,
    device_ips: bool,
    anew: bool = False,
) -> Resume:
    """Look the session up here and at the room's own database; the newer of both counts.

    `anew`: it is a template, whose state a new session in a new room begins with, however young it is.

    Raises:
        UnavailableError: "Session not found": there is none, or it expired and was deleted.
        DeviceError: the database here fails.
    """
    found = await find(local, remote, wanted)
    if found is None:
        raise UnavailableError(Text.NOT_FOUND)
    in_new_room = anew or now - found.created_at >= timedelta(hours=SAME_CODE_H)
    goal = code.generate() if in_new_room else wanted
    try:
        state = session.parse(found.state)
    except WireError as exc:
        log.warning("session not restored id=%s error=%s", wanted, exc)
        return Resume(goal, problem=Text.RESTORE_FAILED)
    if state.problems:
        log.warning("session restored in part id=%s damaged=%s", wanted, ", ".join(state.problems[:16]))
    log.info("Session %s restored successfully", wanted)
    name = f"Made from {wanted}" if anew else f"Resumed from {wanted}"
    stored = merging.renamed(found.state, name) if in_new_room else found.state
    return Resume(
        goal,
        restore(state, play=play, device_ips=device_ips),
        stored,
        session.parse(stored).metadata.session_name,
        Text.MODULES_FAILED if state.modules_damaged else None,
    )


async def is_stored(saver: Saver, wanted: RoomCode) -> bool:
    """Whether that session can be gone on with, however old it is; DeviceError where that cannot be said."""
    with suppress(WireError):
        return await saver.find(wanted) is not None
    return True  # damaged: it is begun anew, and people are told


async def remembered(saver: Saver, wanted: RoomCode, now: datetime) -> Resume:
    """How to go on after an absence of ours; without steps after a longer one."""
    found = None
    with suppress(DeviceError, WireError):
        found = await saver.find(wanted)
    if found is None or now - found.updated_at > ABSENCE:
        return Resume(wanted)
    try:
        return Resume(wanted, restore(session.parse(found.state)))
    except WireError:
        return Resume(wanted)


async def was_stored(saver: Saver | None, endpoint: Endpoint | None, wanted: RoomCode, now: datetime) -> bool:
    """Whether there is a session of that code, here or at the room's own database, which is not expired."""
    found = None
    with suppress(DeviceError, WireError):
        found = await saver.find(wanted) if saver else None
    if found is None:
        async with open_if_known(endpoint) as remote:
            found = await _at_remote(remote, wanted)
    return found is not None and now - found.created_at < timedelta(hours=SAME_CODE_H)


async def find(local: SqliteStore, remote: RemoteStore | None, wanted: RoomCode) -> SessionRecord | None:
    """The session as it was saved last, here or at the room's own database, where that answers."""
    return _newer(local.get(wanted), await _at_remote(remote, wanted))


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
