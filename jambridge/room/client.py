"""A member's seat in a room, over Supabase Realtime: hosted, or the LAN hub that speaks the same wire.

One connection is one service: any trouble ends it, and supervision opens the next, which tracks presence again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from websockets.exceptions import WebSocketException

from jambridge.edges import Latest
from jambridge.errors import AwayError, LinkError, OccupiedError, Text, UnavailableError
from jambridge.room import messages, presence
from jambridge.room.arrivals import Arrivals, sender_of
from jambridge.room.edges import HUB, Address, RoomEdges
from jambridge.room.line import HUB_GONE, Line, open_line, why_lost
from jambridge.room.messages import Participant
from jambridge.room.sharing import EVENTS
from jambridge.units import LocalSeconds, PeerId, RoomCode

ROOM_RETRY_S = 4.0  # the longest between two tries: a hub that is back is joined within ten seconds
MISSING_AFTER_S = 2.0  # nobody two seconds after the first presence state: there is no such session
MOST_PRESENCE_NEWS = 500  # in one go: the library reads on while its buffer is full, and nothing else runs
GOODBYE_S = 0.3  # for what is still to be said
_BUSY_S = 0.2  # while awaiting lost members


async def _never_stored() -> bool:
    return False


class RoomClient:
    """One connection to one room."""

    def __init__(self, line: Line, me: Participant, edges: RoomEdges, seat_name: str) -> None:
        self._line = line
        self._me = me
        self._edges = edges
        self._seat = edges.seat(seat_name)
        self._arrivals = Arrivals(me.id, self._seat.has, hosted=self._seat.is_hosted)
        self._loop = asyncio.get_running_loop()
        self._presence_news = 0
        self._synced = asyncio.Event()
        self._tracked = False

    async def join(
        self, *, must_exist: bool, must_be_empty: bool, was_stored: Callable[[], Awaitable[bool]] = _never_stored
    ) -> None:
        """Subscribe, wait for the first presence, and take a place in it.

        Raises:
            LinkError: the room did not answer, or refused.
            UnavailableError: nobody is there, and somebody had to be.
            OccupiedError: somebody is there, and nobody had to be.
        """
        is_new = not self._seat.roster.known
        self._seat.roster.rejoined(_now())
        await self._line.join(self._look_soon, self._on_broadcast)
        await self._line.until(self._synced.wait())
        if must_exist and is_new:
            await self._find_somebody(was_stored)
        if must_be_empty and is_new and self._others():
            raise OccupiedError("this room code is taken")
        hosts = self._edges.sharing.host == self._me.id or (is_new and not self._others())
        self._me = replace(self._me, is_host=hosts)
        await self._track()

    async def run(self) -> None:
        """Send what others have to say until the connection fails, as LinkError; AwayError if the hub has ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send())
            group.create_task(self._line.watch())
            group.create_task(self._forget_the_missing())
            reason = await asyncio.shield(self._line.failed)  # stopping us is no failure of its
            raise AwayError(reason) if reason == HUB_GONE else LinkError(reason)

    async def leave(self) -> None:
        """Say what is still to be said, then goodbye."""
        if self._tracked and not self._line.failed.done():
            self._edges.leaving(self._seat)
        with suppress(TimeoutError, WebSocketException, OSError):
            async with asyncio.timeout(GOODBYE_S):
                while not self._line.failed.done():
                    if await self._send_one():
                        continue
                    if (wait_s := self._seat.outbox.wait_s(_now())) is None:
                        break
                    await asyncio.sleep(wait_s)
        calls = self._seat.presence_calls
        untrack = self._tracked and not self._line.failed.done() and calls.wait_s(_now()) <= 0
        if untrack:
            calls.made(_now())
        await self._line.leave(untrack=untrack)

    async def _find_somebody(self, was_stored: Callable[[], Awaitable[bool]]) -> None:
        if self._others():
            return
        await asyncio.sleep(MISSING_AFTER_S)
        if not self._others() and not await was_stored():
            raise UnavailableError(f"{Text.NOT_FOUND}: nobody is there, and no session of that code is stored")

    async def _track(self) -> None:
        while (wait_s := self._seat.presence_calls.wait_s(_now())) > 0:
            await asyncio.wait({self._line.failed}, timeout=wait_s)
            await self._line.until(_nothing())
        self._seat.presence_calls.made(_now())
        await self._line.track(messages.presence_payload(self._me))
        self._seat.outbox.clear()
        self._tracked = True
        present = self._present()
        members = self._seat.roster.update(present, _now())
        self._edges.taken(self._seat, presence.ordered(present.values()), members)

    async def _send(self) -> None:
        outbox, filled = self._seat.outbox, self._seat.filled
        try:
            while True:
                if await self._send_one():
                    continue
                filled.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(outbox.wait_s(_now())):
                        await filled.wait()
        except (WebSocketException, OSError) as exc:
            self._line.fail(why_lost(exc))

    async def _send_one(self) -> bool:
        said = self._seat.outbox.take(_now())
        if said is None:
            return False
        self._seat.quota.count_sent(len(self._seat.members), _now())
        await self._line.send(said.event, {**said.payload, "fromPeerId": self._me.id})
        return True

    async def _forget_the_missing(self) -> None:
        while self._seat.roster.awaited_until is not None:
            await asyncio.sleep(_BUSY_S)
            self._line.never_raising(self._on_presence)()

    def _present(self) -> dict[PeerId, Participant]:
        present, dropped = presence.parse_state(self._line.presence)
        if dropped:
            self._edges.count("presence")
        return {**present, self._me.id: self._me}  # whatever anyone says with our key

    def _others(self) -> bool:
        return len(self._present()) > 1

    def _look_soon(self) -> None:
        """Once for all that arrived together: each look reads the whole presence."""
        self._presence_news += 1
        if self._presence_news > MOST_PRESENCE_NEWS:
            self._line.fail("presence changes faster than it can be followed")
        elif self._presence_news == 1:
            self._loop.call_soon(self._line.never_raising(self._on_presence))

    def _on_presence(self) -> None:
        self._presence_news = 0
        self._synced.set()
        if self._tracked and not self._line.failed.done():
            self._edges.seen(self._seat, self._seat.roster.update(self._present(), _now()))

    def _on_broadcast(self, message: Mapping[str, Any]) -> None:
        event, payload = message.get("event"), message.get("payload")
        self._seat.quota.count_received(len(self._seat.members), _now())
        if not self._tracked or not isinstance(event, str) or not isinstance(payload, dict):
            return
        is_signal = event == messages.SIGNAL_EVENT
        reader = self._edges.readers.get(event)
        if event not in EVENTS and reader is None and not (is_signal and payload.get("targetPeerId") == self._me.id):
            return
        if reason := self._arrivals.refusal(event, payload, _now()):
            self._edges.count(reason)
        elif reader is not None:
            reader({**payload}, sender_of(payload))
        elif not is_signal:
            self._edges.heard(event, {**payload}, sender_of(payload))
        elif not self._edges.signals.offer(messages.parse_signal(payload)):
            self._edges.count("overflow")  # an offer is said again


@asynccontextmanager
async def open_room(
    where: Latest[Address | None],
    topic: str,
    me: Participant,
    edges: RoomEdges,
    seat_name: str = HUB,
    *,
    must_exist: bool = False,
    must_be_empty: bool = False,
    was_stored: Callable[[], Awaitable[bool]] = _never_stored,
) -> AsyncIterator[RoomClient]:
    """Join as soon as it is known where, and leave at the end; `edges.view` says what is in force.

    Both conditions hold for the first time that a place is taken: after an outage the room is ours anyway.

    `seat_name` is SUPABASE or HUB; `must_exist`: somebody is there, or `was_stored` says that somebody was.

    Raises:
        LinkError: the room cannot be reached or refuses.
        UnavailableError, OccupiedError: it is not as it must be.
    """
    address = where.value or await where.changed(None)
    if address is None:
        raise LinkError("there is no hub to meet at")
    async with open_line(address, topic, me.id, edges.count) as line:
        room = RoomClient(line, me, edges, seat_name)
        try:
            await room.join(must_exist=must_exist, must_be_empty=must_be_empty, was_stored=was_stored)
            yield room
        except (WebSocketException, OSError) as exc:
            raise LinkError(f"the room at {address.url} cannot be reached: {exc}") from exc
        finally:
            await room.leave()
            edges.lost(edges.seat(seat_name))


def topic_of(template: str, code: RoomCode) -> str:
    """`room:{code}` for a code."""
    return template.replace("{code}", code)


async def _nothing() -> None:
    pass


def _now() -> LocalSeconds:
    return LocalSeconds(time.monotonic())
