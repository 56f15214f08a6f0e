"""Keeps a member's state in step with its room's: what is heard, said and said again. Pure.

A change is said at once. The host's digest, soon after a change and every ten seconds, confirms and repairs: who missed
something finds it there, who knows better says it again. What was not confirmed is said again as well.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jambridge.errors import LinkError
from jambridge.room import state_messages
from jambridge.room.hosting import Hosting, Standing
from jambridge.room.messages import Broadcast, Participant
from jambridge.room.schedules import LONG_AGO, NEVER, Answering, Asking, Digests, Saying
from jambridge.room.state import FIELDS, MOST_AHEAD, RoomState, Stamp, Trust, checked
from jambridge.room.state_messages import EVENTS, SYNC, Change, HostChange, Request, Snapshot
from jambridge.units import LocalSeconds, PeerId

__all__ = ["EVENTS", "Sharing"]

ANSWER_WITHIN_S = 0.15
ANSWER_FOR_HOST_S = 0.3  # where only the host's word counts, the others leave it the first answer
REQUESTS_AFTER_S = (0.0, 0.5, 1.0, 2.0, 4.0)
UNANSWERED_AFTER_S = 1.0
HOST_GRACE_S = 6.0
"""A host that is gone is awaited: its connection may have died, and four seconds are the longest between two tries."""
QUESTIONS_AFTER_S = (1.0, 3.0)
QUESTION_PAUSE_S = 2.0
RETURN_S = 15.0  # members are back by then after their hub was away; also where only the host changes anything


class Sharing:
    """One member's side. Every method gives what is to be sent; `deadline` says when `tick` must be called.

    What cannot be sent is lost, and that is well: what matters is said again.
    """

    def __init__(
        self, me: PeerId, *, host_only: bool = False, state: RoomState | None = None, jitter: Callable[[], float]
    ) -> None:
        self._me = me
        self._host_only = host_only
        self._jitter = jitter
        self._hosting = Hosting(me)
        self._saying = Saying()
        self._answering = Answering()
        self._digests = Digests()
        self._requests = Asking()
        self._questions = Asking()
        self._wanted: dict[str, Stamp] = {}
        self._elect_at = NEVER
        self._joined_at = self._fresh_until = LONG_AGO
        self._wall_minus_local_s = 0.0
        self.state = state or RoomState()
        self.dropped: Counter[str] = Counter()

    @property
    def host(self) -> PeerId | None:
        return self._hosting.host

    @property
    def deadline(self) -> LocalSeconds | None:
        due = min(
            self._saying.deadline,
            self._answering.deadline,
            self._requests.deadline,
            self._questions.deadline,
            self._elect_at,
            self._digests.deadline if self._digesting else NEVER,
        )
        return None if due == NEVER else due

    def joined(self, members: Sequence[Participant], wall_s: float, now: LocalSeconds) -> list[Broadcast]:
        """After every subscribing and tracking; `members` are those present before us, and we.

        Who was known before and is not back yet counts as present until `members_changed`, which follows.
        """
        self._wall_minus_local_s = wall_s - now
        self._joined_at = now
        self._hosting.joined(members, now)
        self._elect_at = NEVER if self.host else LocalSeconds(now + UNANSWERED_AFTER_S)
        self._await_host(now)
        if self._hosting.others:
            self._requests.at(now, REQUESTS_AFTER_S)
            self._fresh_until = LocalSeconds(now + REQUESTS_AFTER_S[-1] + UNANSWERED_AFTER_S)
        self._digests.changed(now)
        return self.tick(now)

    def members_changed(self, members: Sequence[Participant], wall_s: float, now: LocalSeconds) -> list[Broadcast]:
        """`members` are all who count as present."""
        self._wall_minus_local_s = wall_s - now
        newcomers = any(not self._hosting.present(member.id) for member in members)
        self._hosting.changed(members)
        self._await_host(now)
        if newcomers:
            self._digests.changed(now)
        return self.tick(now)

    def lost(self) -> None:
        """We are not in the room until we have `joined` again; meanwhile we know too little to elect anybody."""
        self._elect_at = NEVER

    def leaving(self, wall_s: float) -> list[Broadcast]:
        """We go for good: a host names who follows it, so that nobody waits for it to come back."""
        if not self._digesting:
            return []
        successor = self._hosting.hand_over(wall_s)
        return [state_messages.host_change(successor, Standing.ELECTED)] if successor else []

    def receive(self, event: str, payload: Mapping[str, Any], sender: PeerId, now: LocalSeconds) -> list[Broadcast]:
        """One of EVENTS; WireError for nonsense, of which nothing is taken."""
        said: list[Broadcast] = []
        match state_messages.parse(event, payload, sender):
            case Change(name, value, Stamp() as stamp):
                self._offer(name, value, stamp, sender, now)
            case Change(name, value):
                self._hear_unstamped(name, value, now)
            case Snapshot() as snapshot:
                said = self._hear(sender, snapshot.host, snapshot.standing, now)
                self._compare(snapshot, sender, now, digest=event != SYNC)
                if event == SYNC:
                    self._overhear(snapshot)
            case Request(target):
                self._asked(sender, target, now)
            case HostChange(host, standing):
                said = self._hear(sender, host, standing, now)
        return [*said, *self.tick(now)]

    def change(self, field: str, value: object, now: LocalSeconds) -> list[Broadcast]:
        """Our own change.

        Raises:
            WireError: the field cannot have this value.
            LinkError: only the host changes this room's state, and that is another.
        """
        value = checked(field, value)
        self._check_allowed()
        self._set(field, value, now)
        return self.tick(now)

    def restore(self, values: Mapping[str, object], now: LocalSeconds) -> list[Broadcast]:
        """A stored session's fields, as changes that nobody made: whatever anybody changes, or has changed, is higher.

        Errors as in `change`, and then none is applied.
        """
        wanted = {name: checked(name, values[name]) for name in FIELDS if name in values}
        self._check_allowed()
        for name, value in wanted.items():
            self._set(name, value, now, author=PeerId(""))
        return self.tick(now)

    def tick(self, now: LocalSeconds) -> list[Broadcast]:
        """What is due."""
        said = [state_messages.change(self.state, name, self._me) for name in self._saying.take(now)]
        if self._requests.take(now):
            said.append(state_messages.request(fields=tuple(sorted(self._wanted))))
        if now >= self._elect_at:
            said += self._elect(now)
        standing = self._hosting.standing(now)
        if self._questions.take(now) and self.host not in (None, self._me):
            said.append(state_messages.request(target=self.host))
        said += [
            state_messages.sync(self.state, self.host, standing, peer, host_only=self._host_only)
            for peer in self._answering.take(now)
        ]
        if self._digesting and self.host and self._digests.take(now):
            said.append(state_messages.digest(self.state, self.host, standing, host_only=self._host_only))
        return said

    @property
    def _digesting(self) -> bool:
        return self.host == self._me and self._hosting.others

    # Our own changes

    @property
    def may_change(self) -> bool:
        """Whether tempo, key and mode are ours to change."""
        return not self._host_only or self.host in (None, self._me)

    def _check_allowed(self) -> None:
        if not self.may_change:
            raise LinkError("only the host changes the tempo, key and mode of this room")

    def _set(self, name: str, value: object, now: LocalSeconds, author: PeerId | None = None) -> None:
        self.state = self.state.changed(name, value, self._me if author is None else author)
        self._say_change(name, now)

    def _say_change(self, name: str, now: LocalSeconds) -> None:
        self._saying.change(name, now, confirm=self._hosting.others and self.host != self._me)
        self._digests.changed(now)

    # What others say of the state

    def _hear_unstamped(self, name: str, value: object, now: LocalSeconds) -> None:
        """An older browser's change: the host gives it a stamp, and says it to all."""
        if self.host != self._me:
            self.dropped["unstamped"] += 1
        elif self._host_only:
            self.dropped["not the host's"] += 1
            self._say_change(name, now)  # it has already changed it for itself
        else:
            self._set(name, value, now)

    def _offer(self, name: str, value: object, stamp: Stamp, sender: PeerId, now: LocalSeconds) -> None:
        """A field as somebody holds it."""
        mine, of_host = self.state.stamp(name), sender == self.host
        trust = Trust.HOST if of_host else Trust.ANSWER if self._is_fresh(mine, now) else Trust.MEMBER
        if self._host_only and not of_host and not self._returns(mine, now):
            self._refuse(name, stamp, now)
        elif (state := self.state.offered(name, value, stamp, trust)) is None:
            self.dropped["too far ahead"] += 1
        else:
            self._take(state, name, now)
            if stamp >= mine:
                self._saying.said_by_another(name)

    def _is_fresh(self, mine: Stamp, now: LocalSeconds) -> bool:
        """A newcomer that waits for the first answer knows nothing of this field."""
        return now < self._fresh_until and not mine.revision

    def _returns(self, mine: Stamp, now: LocalSeconds) -> bool:
        """A host that has just come, into a room that may have been in step before, and never set this field itself."""
        return self.host == self._me and not mine.author and now < self._joined_at + RETURN_S

    def _refuse(self, name: str, stamp: Stamp, now: LocalSeconds) -> None:
        """Where only the host changes anything: the host says its own value, higher than what was tried."""
        mine = self.state.stamp(name)
        if stamp <= mine:
            return
        self.dropped["not the host's"] += 1
        if self.host == self._me and name in FIELDS and stamp.revision <= mine.revision + MOST_AHEAD:
            self.state = self.state.put(name, self.state.value(name), Stamp(stamp.revision + 1, self._me))
            self._say_change(name, now)

    def _take(self, state: RoomState, name: str, now: LocalSeconds) -> None:
        if state is self.state:
            return
        self.state = state
        self._heal(name)
        self._saying.confirmed(name)  # it is not ours any more
        self._saying.said_by_another(name)
        self._digests.changed(now)

    def _compare(self, snapshot: Snapshot, sender: PeerId, now: LocalSeconds, *, digest: bool) -> None:
        for name, value in snapshot.values.items():
            if (stamp := snapshot.stamps.get(name)) is not None:
                self._offer(name, value, stamp, sender, now)
            elif not digest:
                self._offer_unstamped(name, value, snapshot.target, sender, now)
        for name in FIELDS:
            if (stamp := snapshot.stamps.get(name)) is not None:
                self._compare_field(name, stamp, snapshot, sender, now, digest=digest)

    def _compare_field(
        self, name: str, stamp: Stamp, snapshot: Snapshot, sender: PeerId, now: LocalSeconds, *, digest: bool
    ) -> None:
        mine = self.state.stamp(name)
        differs = name in snapshot.values and snapshot.values[name] != self.state.value(name)
        if sender == self.host and stamp >= mine:
            self._saying.confirmed(name)
        if not digest:
            return
        if stamp < mine or (stamp == mine and differs):
            self._saying.repair(name, LocalSeconds(now + self._jitter() * ANSWER_WITHIN_S))
        elif mine < stamp and name not in snapshot.values and stamp.revision <= mine.revision + MOST_AHEAD:
            self._wanted[name] = stamp
            self._requests.at(now, REQUESTS_AFTER_S, pause_s=1.0)

    def _heal(self, name: str) -> None:
        """A request that has what it wanted is over."""
        if name in self._wanted and self._wanted[name] <= self.state.stamp(name):
            del self._wanted[name]
            if not self._wanted:
                self._requests.answered()

    def _offer_unstamped(
        self, name: str, value: object, target: PeerId | None, sender: PeerId, now: LocalSeconds
    ) -> None:
        """An older browser's answer: better than nothing, and less than any change."""
        known = name in FIELDS and (target != self._me or not self._is_fresh(self.state.stamp(name), now))
        if not known:
            self._offer(name, value, Stamp(0, sender), sender, now)

    def _overhear(self, snapshot: Snapshot) -> None:
        """An answer, to us or to another; ours is not needed any more if it says all that we know."""
        self._fresh_until = LONG_AGO
        if not self._wanted:
            self._requests.answered()
        covers = all(snapshot.stamps.get(name, Stamp()) >= self.state.stamp(name) for name in FIELDS)
        if snapshot.target and covers and snapshot.host == self.host:
            self._answering.answered_by_another(snapshot.target)

    def _asked(self, sender: PeerId, target: PeerId | None, now: LocalSeconds) -> None:
        if target not in (None, self._me) or self.host is None or sender == self._me:
            return
        delay_s = 0.0 if target else self._jitter() * ANSWER_WITHIN_S
        if self._host_only and self.host != self._me and not target:
            delay_s += ANSWER_FOR_HOST_S
        if not self._answering.add(sender, LocalSeconds(now + delay_s)):
            self.dropped["asked too often"] += 1

    # Who is host

    def _await_host(self, now: LocalSeconds) -> None:
        """Another is elected only if the host is away for longer than it takes to come back."""
        if self.host is None:
            return
        if self._hosting.present(self.host):
            self._elect_at = NEVER
        elif self._elect_at == NEVER:
            self._elect_at = LocalSeconds(now + HOST_GRACE_S)

    def _hear(self, sender: PeerId, host: PeerId | None, standing: Standing, now: LocalSeconds) -> list[Broadcast]:
        """`sender` names a host."""
        if host is None:
            return []
        before = self.host
        if self._hosting.hear(sender, host, standing, now):
            self._elect_at = NEVER
            self._questions.answered()
            if self._host_only and sender != host:
                self._questions.at(now, (0.0,))  # only its own word counts
            return self._after_moving(before, now)
        if sender == host == self.host:
            self._questions.answered()
        elif host != self.host and self._hosting.present(host):
            self.dropped["another host"] += 1
            if self.host == self._me:
                self._digests.object(now)
            else:
                self._questions.at(now, (0.0,), pause_s=QUESTION_PAUSE_S)
        elif self.host is None and self._hosting.present(sender):
            self._elect_at = LocalSeconds(self._joined_at + HOST_GRACE_S)  # gone just before we came, and awaited
        return []

    def _after_moving(self, before: PeerId | None, now: LocalSeconds) -> list[Broadcast]:
        self._digests.changed(now)
        if self._me not in (before, self.host) or self.host is None:
            return []
        return [state_messages.host_change(self.host, self._hosting.standing(now))]

    def _elect(self, now: LocalSeconds) -> list[Broadcast]:
        """Nobody has answered us in time, or the host is not back."""
        self._elect_at = NEVER
        self._hosting.elect(now + self._wall_minus_local_s, now, newcomer=self.host is None)
        return self._after_election(now)

    def _after_election(self, now: LocalSeconds) -> list[Broadcast]:
        """The elected says so. Who does not hear it asks, since clocks differ and so may what was elected."""
        if self.host != self._me:
            self._questions.at(now, QUESTIONS_AFTER_S)
        return self._after_moving(None, now)
