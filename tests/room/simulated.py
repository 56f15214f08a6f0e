"""Rooms on a virtual clock: members' state machines over a network that loses, delays and reorders what they say."""

import heapq
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from jambridge import strict_json
from jambridge.errors import LinkError
from jambridge.room.messages import Broadcast, Participant
from jambridge.room.sharing import Sharing
from jambridge.room.state import FIELDS
from jambridge.units import LocalSeconds, PeerId

SCALES = ("major", "minor", "dorian")
LONGEST_DELAY_S = 0.5  # but for one in millions
KEYS = ("C", "F#", "Bb", "A")


@dataclass
class Member:
    id: PeerId
    sharing: Sharing
    me: Participant
    skew_s: float
    hub: str | None = None
    awaited: dict[PeerId, float] = field(default_factory=dict)
    """Members lost with the connection, until when they count."""
    present: dict[PeerId, Participant] = field(default_factory=dict)
    tick_at: float | None = None
    sent: int = 0


class World:
    """Presence is reliable and a little late; broadcasts are lost with probability `loss`."""

    def __init__(self, seed: int, *, loss: float = 0.0, delay_s: float = 0.03, host_only: bool = False) -> None:
        self.random = random.Random(seed)
        self.now = LocalSeconds(1000.0)
        self.loss = loss
        self.delay_s = delay_s
        self.host_only = host_only
        self.members: dict[PeerId, Member] = {}
        self.spoken: list[tuple[float, PeerId, Broadcast]] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when_s: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when_s, self._count, act))

    def run(self, for_s: float) -> None:
        until = self.now + for_s
        while self._events and self._events[0][0] <= until:
            when, _, act = heapq.heappop(self._events)
            self.now = LocalSeconds(when)
            act()
        self.now = LocalSeconds(until)

    def member(self, name: str | None = None, *, skew_s: float = 0.0, joined_at: float | None = None) -> Member:
        peer = PeerId(name or f"{self.random.getrandbits(64):016x}")
        wall = self.now + 1.7e9 + skew_s
        me = Participant(peer, "x", False, wall if joined_at is None else joined_at)
        sharing = Sharing(peer, host_only=self.host_only, jitter=self.random.random)
        member = self.members[peer] = Member(peer, sharing, me, skew_s)
        return member

    def join(self, member: Member, hub: str = "hub") -> None:
        """First presence, then the others see us; a member that was here before awaits whom it knew."""
        member.awaited = {peer: self.now + 15.0 for peer in member.present if peer != member.id}
        member.hub = hub
        before = self.at_hub(hub)
        if len(before) == 1 and not member.awaited:
            member.me = Participant(member.id, "x", True, member.me.joined_at)
        present = {other.id: other.me for other in before}
        self.tell(member, member.sharing.joined(tuple(present.values()), self.wall(member), self.now))
        self._see(member, present)
        self._presence_changed(hub, except_for=member)

    def leave(self, member: Member) -> None:
        """The connection is gone; the member itself keeps what it knew."""
        member.sharing.lost()
        hub, member.hub = member.hub, None
        if hub is not None:
            self._presence_changed(hub)

    def quit(self, member: Member) -> None:
        """It goes on purpose; its connection ends when what it said is heard."""
        self.tell(member, member.sharing.leaving(self.wall(member)))
        self.at(self.now + LONGEST_DELAY_S, lambda: self.leave(member))

    def at_hub(self, hub: str) -> list[Member]:
        return [member for member in self.members.values() if member.hub == hub]

    def wall(self, member: Member) -> float:
        return self.now + 1.7e9 + member.skew_s

    def change(self, member: Member) -> None:
        """Something at random."""
        name = self.random.choice(FIELDS)
        value: object = {
            "tempo": self.random.randint(40, 300),
            "key": self.random.choice(KEYS),
            "scale": self.random.choice(SCALES),
            "colorMode": self.random.choice(("chromatic", "harmonic")),
            "isPlaying": self.random.random() < 0.5,
        }[name]
        try:
            self.tell(member, member.sharing.change(name, value, self.now))
        except LinkError:
            assert self.host_only

    def tell(self, member: Member, said: list[Broadcast]) -> None:
        for broadcast in said:
            member.sent += 1
            self.spoken.append((self.now, member.id, broadcast))
            self.broadcast(member.id, member.hub, broadcast)
        self._appoint(member)

    def broadcast(self, sender: PeerId, hub: str | None, broadcast: Broadcast) -> None:
        text = json.dumps(broadcast.payload)
        for other in self.at_hub(hub) if hub else []:
            if other.id != sender and self.random.random() >= self.loss:
                self.at(self.now + self._delay(), self._arrival(other, hub, broadcast.event, text, sender))

    def _arrival(self, to: Member, hub: str | None, event: str, text: str, sender: PeerId) -> Callable[[], None]:
        def arrive() -> None:
            if to.hub == hub:
                payload = strict_json.loads_object(text, 16_384)
                self.tell(to, to.sharing.receive(event, payload, sender, self.now))

        return arrive

    def look(self, member: Member) -> None:
        self._look(member, member.hub)

    def _presence_changed(self, hub: str, except_for: Member | None = None) -> None:
        for other in self.at_hub(hub):
            if other is not except_for:
                self.at(self.now + self._delay(), lambda other=other: self._look(other, hub))  # type: ignore[misc]

    def _look(self, member: Member, hub: str | None) -> None:
        if hub is not None and member.hub == hub:
            self._see(member, {other.id: other.me for other in self.at_hub(hub)})

    def _see(self, member: Member, present: dict[PeerId, Participant]) -> None:
        member.awaited = {p: until for p, until in member.awaited.items() if p not in present and self.now < until}
        for until in set(member.awaited.values()):
            self.at(until, lambda hub=member.hub: self._look(member, hub))  # type: ignore[misc]
        member.present = {p: member.present[p] for p in member.awaited} | present
        members = tuple(sorted(member.present.values(), key=lambda m: (m.joined_at, m.id)))
        self.tell(member, member.sharing.members_changed(members, self.wall(member), self.now))

    def _appoint(self, member: Member) -> None:
        due = member.sharing.deadline
        if due is not None and (member.tick_at is None or due < member.tick_at):
            member.tick_at = max(due, self.now)
            self.at(member.tick_at, lambda: self._tick(member))

    def _tick(self, member: Member) -> None:
        if member.tick_at is not None and self.now >= member.tick_at:
            member.tick_at = None
            self.tell(member, member.sharing.tick(self.now))

    def _delay(self) -> float:
        """Mostly short, now and then long: what is sent later often arrives earlier."""
        return (
            self.random.expovariate(1 / self.delay_s)
            if self.random.random() < 0.9
            else self.random.random() * LONGEST_DELAY_S
        )

    def disagreement(self, hub: str = "hub") -> str:
        """Empty when all at one hub hold the same state and host."""
        members = self.at_hub(hub)
        states = {json.dumps(m.sharing.state.values()) + str(sorted(m.sharing.state.stamps.items())) for m in members}
        hosts = {m.sharing.host for m in members}
        if len(states) == 1 and len(hosts) == 1 and hosts <= {m.id for m in members}:
            return ""
        return "\n".join(f"{m.id} host={m.sharing.host} {dict(m.sharing.state.stamps)}" for m in members)
