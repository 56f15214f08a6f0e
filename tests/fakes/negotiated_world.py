"""Two negotiations, a network that loses and delays signals, and connections that come up when both ends fit."""

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from jambridge.peers.negotiation import Negotiation
from jambridge.peers.sdp import Description, Media
from jambridge.peers.signals import RemoteBye, RemoteDescription
from jambridge.peers.steps import Action, Answer, Apply, Broken, Close, Connected, Described, Event, Heard, Offer, Send
from jambridge.room.messages import Signal, SignalType
from jambridge.units import LocalSeconds, PeerId

SOUND_EVERY_S = 0.5


def description(kind: str, ufrag: str) -> Description:
    setup = "actpass" if kind == "offer" else "active"
    return Description(kind, setup, ufrag, "p" * 22, (), (Media("0", "sendrecv", 111),))


@dataclass(slots=True)
class FakeConnection:
    local: str
    remote: str | None = None
    up: bool = False


@dataclass(slots=True)
class End:
    id: PeerId
    sends: bool
    negotiation: Negotiation
    connections: dict[int, FakeConnection] = field(default_factory=dict)
    life: int = 0


class World:
    """`fate` says of each signal how long it travels, None if it is lost."""

    def __init__(self, fate: Callable[[], float | None], *, sends: tuple[bool, bool] = (True, True)) -> None:
        self.now = 0.0
        self.path_is_cut = False
        self.sent: list[Signal] = []
        self._fate = fate
        self._names = (f"c{i}" for i in itertools.count())
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.ends = {peer: self._end(peer, sends) for peer in (0, 1)}

    def _end(self, index: int, sends: tuple[bool, bool], life: int = 0) -> End:
        self_id, other_id = (PeerId("a"), PeerId("b"))[:: -1 if index else 1]
        machine = Negotiation(
            self_id,
            other_id,
            expects_sound=sends[1 - index],
            new_id=lambda: next(self._names),
            now=LocalSeconds(self.now),
        )
        return End(self_id, sends[index], machine, life=life)

    def at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._order), do))

    def run(self, until: float) -> None:
        while True:
            due = [end.negotiation.deadline for end in self.ends.values()]
            next_at = min([moment for moment in due if moment is not None] + [when for when, _, _ in self._agenda[:1]])
            if next_at > until:
                self.now = until
                return
            self.now = max(self.now, next_at)
            if self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
            else:
                for index, end in self.ends.items():
                    moment = end.negotiation.deadline
                    if moment is not None and moment <= self.now:
                        self._carry_out(index, end.negotiation.tick(LocalSeconds(self.now)))

    def tell(self, index: int, event: Event, life: int | None = None) -> None:
        end = self.ends[index]
        if life in (None, end.life):
            self._carry_out(index, end.negotiation.receive(event, LocalSeconds(self.now)))

    def restart(self, index: int) -> None:
        """As the supervisor does after a bug: everything is forgotten, no bye."""
        old = self.ends[index]
        for number in tuple(old.connections):
            self._close(index, number)
        sends = (self.ends[0].sends, self.ends[1].sends)
        self.ends[index] = self._end(index, sends, old.life + 1)

    def live(self) -> list[FakeConnection | None]:
        lives = ((end, end.negotiation.live) for end in self.ends.values())
        return [None if live is None else end.connections.get(live.number) for end, live in lives]

    def _carry_out(self, index: int, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Offer(number):
                    self._open(index, number, None)
                case Answer(number, offer):
                    self._open(index, number, offer.ice_ufrag)
                case Apply(number, answer):
                    self.ends[index].connections[number].remote = answer.ice_ufrag
                    self._join()
                case Close(number):
                    self._close(index, number)
                case Send(signal):
                    self._post(index, signal)

    def _open(self, index: int, number: int, remote: str | None) -> None:
        end = self.ends[index]
        name = f"{end.id}{end.life}x{number}"
        end.connections[number] = FakeConnection(name, remote)
        self.at(self.now + 0.05, lambda: self.tell(index, Described(number, name), end.life))
        self.at(self.now + 0.1, self._join)

    def _close(self, index: int, number: int) -> None:
        closed = self.ends[index].connections.pop(number)
        other = self.ends[1 - index]
        for far, connection in other.connections.items():
            if connection.up and connection.remote == closed.local:
                self.at(self.now + 1, lambda far=far: self.tell(1 - index, Broken(far), other.life))  # type: ignore[misc]

    def _post(self, index: int, signal: Signal) -> None:
        self.sent.append(signal)
        delay = self._fate()
        if delay is not None:
            self.at(self.now + delay, lambda: self.tell(1 - index, read(signal)))

    def _join(self) -> None:
        """Connections whose ends know each other come up, unless the path is cut."""
        for number, one in tuple(self.ends[0].connections.items()):
            for far, other in tuple(self.ends[1].connections.items()):
                fits = one.remote == other.local and other.remote == one.local
                if fits and not (one.up or other.up or self.path_is_cut):
                    one.up = other.up = True
                    for index, which in ((0, number), (1, far)):
                        self.tell(index, Connected(which), self.ends[index].life)
                        self._play(index, which, self.ends[index].life)

    def _play(self, index: int, number: int, life: int) -> None:
        end = self.ends[index]
        connection = end.connections.get(number)
        if end.life != life or connection is None:
            return
        far_alive = any(other.remote == connection.local for other in self.ends[1 - index].connections.values())
        if self.ends[1 - index].sends and far_alive and not self.path_is_cut:
            self.tell(index, Heard(number), life)
        self.at(self.now + SOUND_EVERY_S, lambda: self._play(index, number, life))


def read(signal: Signal) -> RemoteDescription | RemoteBye:
    if signal.type is SignalType.BYE:
        return RemoteBye(signal.connection)
    assert isinstance(signal.data, dict)
    return RemoteDescription(signal.connection, description(signal.type.value, signal.data["sdp"]))


def fates(drawn: list[float | None], calm: Callable[[], bool]) -> Callable[[], float | None]:
    """The drawn fates over and over, until calm."""
    endless: Iterator[float | None] = itertools.cycle(drawn or [0.01])
    return lambda: 0.01 if calm() else next(endless)
