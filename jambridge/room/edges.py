"""What outlives a room's connections: who is there, what they say to us, what we have to say, and the shared state.

A seat is one connection's place in the room: hosted Supabase's or a LAN hub's. There are two while a bridge falls back
to the LAN; then the members are those of both.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from jambridge.edges import Bounded, Latest
from jambridge.room import messages, presence, state
from jambridge.room.budget import Outbox, PresenceCalls, Quota
from jambridge.room.messages import Broadcast, Participant, Signal
from jambridge.room.sharing import Sharing
from jambridge.room.state import RoomState
from jambridge.strict_json import JsonObject
from jambridge.units import LocalSeconds, PeerId

SUPABASE, HUB = "supabase", "hub"
"""Names of seats; the rules of the hosted service hold for the first."""

Connection = Literal["connected", "reconnecting", "disconnected"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a room is: a Supabase project or a hub."""

    url: str
    key: str


@dataclass(frozen=True, slots=True)
class RoomView:
    """The room as the others of this process see it; `seats` are those that are connected."""

    connection: Connection = "disconnected"
    members: tuple[Participant, ...] = ()
    host: PeerId | None = None
    seats: tuple[str, ...] = ()
    missing: frozenset[PeerId] = frozenset()
    """Members lost with the connection and not back yet."""


class Seat:
    """One connection's place, over all its connections."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_hosted = name == SUPABASE
        self.connection: Connection = "disconnected"
        self.members: tuple[Participant, ...] = ()
        self.roster = presence.Roster()
        self.outbox = Outbox(hosted=self.is_hosted)
        self.presence_calls = PresenceCalls()
        self.quota = Quota()
        self.filled = asyncio.Event()
        """Set when something is put into the outbox; the connection clears it."""

    @property
    def is_connected(self) -> bool:
        return self.connection == "connected"

    def has(self, peer: PeerId) -> bool:
        return any(member.id == peer for member in self.members)

    def send(self, said: Broadcast) -> None:
        self.outbox.put(said, _now())
        self.filled.set()


class RoomEdges:
    def __init__(
        self,
        me: PeerId,
        *,
        host_only: bool = False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.me = me
        self.view: Latest[RoomView] = Latest(RoomView())
        self.members: Latest[tuple[Participant, ...]] = Latest(())
        self.signals: Bounded[Signal] = Bounded(256)
        self.sharing = Sharing(me, host_only=host_only, jitter=jitter)
        self.state: Latest[RoomState] = Latest(self.sharing.state)
        self.hosting = Latest(False)
        self.deadline: Latest[LocalSeconds | None] = Latest(None)
        self.readers: dict[str, Callable[[JsonObject, PeerId], None]] = {}
        """Who takes what is broadcast besides, by event; they raise WireError for nonsense, and nothing else."""
        self._seats: dict[str, Seat] = {}
        self._dropped: Counter[str] = Counter()

    @property
    def dropped(self) -> Counter[str]:
        """What was not sent or not taken, by reason."""
        return sum((seat.outbox.dropped for seat in self._seats.values()), self._dropped + self.sharing.dropped)

    def count(self, reason: str) -> None:
        self._dropped[reason] += 1

    def name_of(self, peer: PeerId) -> str:
        """A member's, empty for who is not there."""
        return next((member.name for member in self.members.value if member.id == peer), "")

    def say(self, signal: Signal) -> bool:
        """Send a signal to where its target sits; False: dropped while away, since a late one would only mislead."""
        connected = self._connected()
        where = [seat for seat in connected if seat.has(signal.target)] or connected
        self._send(Broadcast(messages.SIGNAL_EVENT, messages.signal_payload(signal)), where)
        return bool(where)

    def broadcast(self, said: Broadcast) -> None:
        """Say something to everyone, or drop it while away."""
        self._send(said, self._connected())

    def change(self, field: str, value: object) -> None:
        """Change the room's state, here and, if somebody is there, at everyone.

        Raises:
            WireError: this field cannot have this value.
            LinkError: only the host may.
        """
        self._tell(self.sharing.change(field, value, _now()))

    def change_all(self, values: Mapping[str, object]) -> None:
        """Change several fields or, where one of them cannot be, none; raises as `change` does."""
        for field, value in values.items():
            state.checked(field, value)
        for field, value in values.items():
            self.change(field, value)

    def restore(self, values: Mapping[str, object]) -> None:
        """Put the state of a resumed session in force at everyone.

        Raises:
            WireError: a field cannot have its value.
        """
        self._tell(self.sharing.restore(values, _now()))

    def tick(self) -> None:
        """Say what is due; `deadline` is when."""
        self._tell(self.sharing.tick(_now()))

    def seat(self, name: str) -> Seat:
        """The seat of that name, the same at every asking until it is `vacated`."""
        if name not in self._seats:
            self._seats[name] = Seat(name)
        return self._seats[name]

    def vacate(self, name: str) -> None:
        """Forget a seat that is left for good, and who sat only there."""
        if seat := self._seats.pop(name, None):
            self._dropped += seat.outbox.dropped
            self._look_around()

    def taken(self, seat: Seat, present: tuple[Participant, ...], members: tuple[Participant, ...]) -> None:
        """We have a place there. `present` are seen there, we among them; `members` are also those still awaited."""
        seat.connection, seat.members = "connected", present
        self._tell(self.sharing.joined(self._everyone(), time.time(), _now()))
        seat.members = members
        self._look_around()

    def seen(self, seat: Seat, members: tuple[Participant, ...]) -> None:
        """Who is there now."""
        if members != seat.members:
            seat.members = members
            self._look_around()

    def lost(self, seat: Seat) -> None:
        """The connection is gone; who was there is still thought to be."""
        seat.connection = "reconnecting"
        seat.outbox.clear()
        if not self._connected():
            self.sharing.lost()
        self._tell(())

    def leaving(self, seat: Seat) -> None:
        """We are about to leave a seat on purpose; with the last one we leave the room."""
        if self._connected() == [seat]:
            self._tell(self.sharing.leaving(time.time()))

    def heard(self, event: str, payload: JsonObject, sender: PeerId) -> None:
        """Take what was said about the state.

        Raises:
            WireError: it is nonsense.
        """
        self._tell(self.sharing.receive(event, payload, sender, _now()))

    def only_at(self, name: str) -> int:
        """How many others sit there and nowhere else."""
        elsewhere = {member.id for seat in self._connected() if seat.name != name for member in seat.members}
        there = self._seats[name].members if name in self._seats else ()
        return sum(member.id not in elsewhere | {self.me} for member in there)

    def _send(self, said: Broadcast, where: Collection[Seat]) -> None:
        for seat in where:
            seat.send(said)
        if not where:
            self.count("away")

    def _tell(self, said: Sequence[Broadcast]) -> None:
        """Send what the state protocol wants said, and show what it made of what came."""
        for one in said:
            self.broadcast(one)
        self.state.set(self.sharing.state)
        self.deadline.set(self.sharing.deadline)
        self._publish()

    def _look_around(self) -> None:
        self._tell(self.sharing.members_changed(self._everyone(), time.time(), _now()))

    def _publish(self) -> None:
        connections = {seat.connection for seat in self._seats.values()}
        connection: Connection = next(
            (one for one in ("connected", "reconnecting") if one in connections), "disconnected"
        )
        members = self._everyone()
        seats = self._connected()
        missing = frozenset.intersection(*(seat.roster.missing for seat in seats)) if seats else frozenset()
        self.view.set(RoomView(connection, members, self.sharing.host, tuple(seat.name for seat in seats), missing))
        self.members.set(members)
        self.hosting.set(self.sharing.host == self.me)

    def _everyone(self) -> tuple[Participant, ...]:
        """The members of all seats, at most 64, we among them if we are there."""
        everyone = {member.id: member for seat in self._seats.values() for member in seat.members}
        own = everyone.pop(self.me, None)
        others = presence.ordered(everyone.values())[: presence.MOST_MEMBERS - 1]
        return presence.ordered(others if own is None else (*others, own))

    def _connected(self) -> list[Seat]:
        return [seat for seat in self._seats.values() if seat.is_connected]


class SharingClock:
    """Keeps the state protocol's appointments, with or without a connection."""

    def __init__(self, edges: RoomEdges) -> None:
        self._edges = edges

    async def run(self) -> None:
        while True:
            due = self._edges.deadline.value
            try:
                async with asyncio.timeout(None if due is None else max(_SHORTEST_S, due - _now())):
                    await self._edges.deadline.changed(due)
            except TimeoutError:
                self._edges.tick()


_SHORTEST_S = 0.005


@asynccontextmanager
async def open_sharing(edges: RoomEdges) -> AsyncIterator[SharingClock]:
    yield SharingClock(edges)


def _now() -> LocalSeconds:
    return LocalSeconds(time.monotonic())
