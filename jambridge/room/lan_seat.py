"""Sits at the LAN hub as well while Supabase cannot be reached, by the rules of `fallback`."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from jambridge.room.edges import HUB, SUPABASE, RoomEdges
from jambridge.room.fallback import Fallback, Patience
from jambridge.units import LocalSeconds

log = logging.getLogger(__name__)

_LOOK_S = 0.5
_CONTRACT = Patience()


async def keep_lan_seat(
    edges: RoomEdges,
    take: Callable[[], None],
    leave: Callable[[], Awaitable[None]],
    patience: Patience = _CONTRACT,
) -> None:
    """Call `take` and `leave` in turn, until cancelled."""
    fallback = Fallback(LocalSeconds(time.monotonic()), patience)
    is_taken = False
    while True:
        is_wanted = fallback.wanted(
            connected=edges.seat(SUPABASE).is_connected,
            only_here=edges.only_at(HUB),
            now=LocalSeconds(time.monotonic()),
        )
        if is_wanted and not is_taken:
            log.warning("Supabase cannot be reached: the room is open on the local network too")
            take()
        elif is_taken and not is_wanted:
            log.info("Supabase is back: the room on the local network is left")
            await leave()
            edges.vacate(HUB)
        is_taken = is_wanted
        await asyncio.sleep(_LOOK_S)
