"""The room's comings and goings, a log line each, with its code and how many are there: `ROOM=`, `PEERS=`, `EVENT=`."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from jambridge.edges import Latest
from jambridge.room.edges import RoomView
from jambridge.units import PeerId, RoomCode

log = logging.getLogger(__name__)

SETTLE_S = 2.0
_MOST_NAMED = 8


async def keep(view: Latest[RoomView], code: RoomCode, settle_s: float = SETTLE_S) -> None:
    """Tell that we have created or joined the room, lost it or left it, and who else came or went; until cancelled.

    Members who come, or go, within `settle_s` of the first share a line: a band sits down at once. Who is gone again by
    then was no member.
    """
    was_there = False
    while True:
        while not _is_there(now := view.value):
            await view.changed(now)
        opens = not was_there and len(now.members) == 1
        log.info("room %s room=%s peers=%d", "created" if opens else "joined", code, len(now.members))
        was_there = True
        try:
            await _tell_who(view, code, settle_s)
        except asyncio.CancelledError:
            log.info("room left room=%s peers=%d", code, len(view.value.members))
            raise
        log.info("room lost room=%s peers=%d", code, len(view.value.members))


async def _tell_who(view: Latest[RoomView], code: RoomCode, settle_s: float) -> None:
    """Who comes and who goes, until the connection is lost."""
    told = _names(view.value)
    while _is_there(now := view.value):
        if _names(now).keys() == told.keys():
            await view.changed(now)
            continue
        with suppress(TimeoutError):
            async with asyncio.timeout(settle_s):
                while _is_there(now := view.value):
                    await view.changed(now)
        names = _names(view.value)
        for what, some, others in (("came", names, told), ("gone", told, names)):
            if ids := [one for one in some if one not in others]:
                _tell(what, code, len(names), ids, [some[one] for one in ids])
        told = names


def _tell(what: str, code: RoomCode, peers: int, ids: Sequence[PeerId], names: Sequence[str]) -> None:
    log.info("members %s room=%s peers=%d names=%s ids=%s", what, code, peers, _listed(names), _listed(ids))


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_NAMED
    return ", ".join(texts[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _is_there(view: RoomView) -> bool:
    return view.connection == "connected"


def _names(view: RoomView) -> dict[PeerId, str]:
    return {member.id: member.name for member in view.members}
