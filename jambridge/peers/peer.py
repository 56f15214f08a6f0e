"""One remote peer: carries out what its negotiation asks for, and brings its sound to one sink."""

import asyncio
import contextlib
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.opus import BIT_RATE
from jambridge.audio.source import AudioSink, PacketSink
from jambridge.edges import Bounded
from jambridge.errors import LinkError
from jambridge.peers import local_names, surrounding_network
from jambridge.peers.attempt import Phase
from jambridge.peers.candidates import MAX_CANDIDATES, Address, Candidate, refusal
from jambridge.peers.connection import Connection
from jambridge.peers.ice_servers import IceServers
from jambridge.peers.negotiation import FRESH_S, Negotiation
from jambridge.peers.outgoing import Outgoing
from jambridge.peers.sdp import Description
from jambridge.peers.signals import Step
from jambridge.peers.status import SILENT_DBFS, Drops, PeerState, PeerStatus, dbfs
from jambridge.peers.steps import (
    Action,
    Answer,
    Apply,
    Broken,
    Close,
    Connected,
    Described,
    Dial,
    Event,
    Heard,
    Offer,
    Send,
)
from jambridge.peers.tap import RtpPacket
from jambridge.room.messages import Participant, Signal
from jambridge.units import LocalSeconds, PeerId

log = logging.getLogger(__name__)

MAX_STEPS = 32  # signals waiting
MAX_NEWS = 32  # of connections: two of them, with four things to tell at most
RELAY_AFTER_S = 1.0  # aioice stays with the first way that works: at 10 % loss a relay in 2 of 12 cases, so in none
HOPE_S = 3.0  # an attempt is left alone so long
LOOK_S = 0.5  # how often the arrival of sound is looked at


OpenSink = Callable[[PeerId, str], AudioSink | None]
OpenChannel = Callable[[PeerId, str], PacketSink | None]
Reader = Callable[[PeerId, str, LocalSeconds], None]
"""Takes one text of a data channel: whose, what it says, when it arrived. It must not raise or block."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all peers of a mesh share."""

    self_id: PeerId
    """Our presence key."""
    send: Callable[[Signal], bool | None]
    """Must not block; drops while the room is away, and then gives False."""
    open_sink: OpenSink | None
    """Called for a peer that sends, and while it is heard again after None, which discards the sound; None where nobody
    wants any."""
    open_channel: OpenChannel | None = None
    """As `open_sink`, for the packets of that peer, which are played in time; None where nothing is played."""
    outgoing: Outgoing | None = None
    """Our own sound, None if we send none."""
    bit_rate: int = BIT_RATE
    """What we ask each peer for, bits a second at most (RFC 7587 section 6.1: it is who receives that says it)."""
    readers: Mapping[str, Reader] = field(default_factory=dict)
    """Of data channels, by label."""
    ice_servers: IceServers = field(default_factory=IceServers)
    """None in a LAN room."""
    paths: Counter[str] = field(default_factory=Counter)
    """How many connections were made by each path: host, srflx, relay."""
    allow_loopback: bool = False
    """Whether a candidate may name this very machine."""
    drops: Drops = field(default_factory=Drops)
    nobodys: Callable[[], Container[Address]] = surrounding_network.nobodys
    """Addresses around this machine that are no peer's."""
    resolve: Callable[[str], Awaitable[str | None]] = local_names.resolve
    """The address of a name in `.local`."""


class Peer:
    def __init__(self, around: Surroundings, who: Participant, group: asyncio.TaskGroup) -> None:
        self.who = who
        self._around = around
        self.sink = self._open_sink()
        self.channel = self._open_channel()
        self._group = group
        self._loop = asyncio.get_running_loop()
        self._asked_at = self._now
        self._inbox: Bounded[Event] = Bounded(MAX_STEPS + MAX_NEWS)
        self._steps = 0
        self._connections: dict[int, Connection] = {}
        self._work: dict[int, set[asyncio.Task[None]]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._undialled: dict[str, str] = {}
        self._undialled_told = False
        self._unsaid: Signal | None = None
        self._last_path: str | None = None
        self._sounding = 0  # the newest attempt that carries sound; only that one is heard
        self._is_connected = self._was_connected = False
        self._negotiation = Negotiation(
            around.self_id, who.id, expects_sound=who.sends, new_id=lambda: secrets.token_hex(8), now=self._now
        )

    @property
    def _now(self) -> LocalSeconds:
        return LocalSeconds(self._loop.time())

    def post(self, step: Step) -> None:
        """Take a signal; one too many is dropped, and the peer sends its offer again."""
        if self._steps == MAX_STEPS:
            self._around.drops.overflow += 1
            return
        self._steps += 1
        self._inbox.offer(step)

    async def run(self) -> None:
        while True:
            await self._next_event()
            self._look()
            deadline = self._negotiation.deadline
            if deadline is not None and self._now >= deadline:
                self._carry_out(self._negotiation.tick(self._now))

    async def _next_event(self) -> None:
        """Take in one event, or none when something is due before."""
        deadline = self._negotiation.deadline
        look_at = self._now + LOOK_S
        try:
            async with asyncio.timeout_at(look_at if deadline is None else min(deadline, look_at)):
                event = await self._inbox.get()
        except TimeoutError:
            return
        if isinstance(event, Step):
            self._steps -= 1
        refused = self._negotiation.refused
        self._carry_out(self._negotiation.receive(event, self._now))
        self._around.drops.too_soon += self._negotiation.refused - refused

    async def close(self) -> None:
        """Say bye at once, then close every connection, within two seconds."""
        self._carry_out(self._negotiation.leave())
        for number in tuple(self._work):
            self._stop_work(number)
        await asyncio.gather(*(connection.close() for connection in self._connections.values()), *self._closing)
        self._around.drops.data += self.dropped
        self._connections.clear()

    @property
    def is_connected(self) -> bool:
        """It has not said bye, nor has its connection ended; it may be silent."""
        return self._negotiation.live is not None

    @property
    def is_heard(self) -> bool:
        """Connected, and sound arrives if this peer sends any."""
        live = self._negotiation.live
        return live is not None and (not self.who.sends or self._now - live.silent_since < FRESH_S)

    @property
    def dropped(self) -> int:
        """By its connections, until these are closed."""
        return sum(connection.dropped for connection in self._connections.values())

    def reads(self, label: str) -> bool:
        """Whether its data channel of that name is open."""
        return any(connection.channels.is_open(label) for connection in self._connections.values())

    def status(self) -> PeerStatus:
        live = self._negotiation.live
        connection = self._connections.get(live.number) if live is not None else None
        if live is None or connection is None:
            state = PeerState.RECONNECTING if self._was_connected else PeerState.DISCONNECTED
            ice = next((other.ice_state for other in self._connections.values()), "new")
            failures = self._negotiation.failures
            status = PeerStatus(self.who.id, self.who.name, state, ice, None, 0.0, SILENT_DBFS, None, 0)
            return replace(status, failures=failures, undialled=dict(self._undialled))
        round_trip_s, least_s = connection.round_trip.seconds, connection.round_trip.least_s
        reception = connection.tap.reception
        return PeerStatus(
            id=self.who.id,
            name=self.who.name,
            state=PeerState.CONNECTED if self.is_heard else PeerState.RECONNECTING,
            connection=connection.ice_state,
            path=connection.path,
            loss=reception.loss,
            level_dbfs=dbfs(reception.mean_square) if self.is_heard else SILENT_DBFS,
            silent_s=None if reception.heard_at is None else self._now - reception.heard_at,
            packets=reception.packets,
            network_ms=None if round_trip_s is None else round_trip_s * 500,
            way_ms=None if least_s is None else least_s * 500,
            failures=self._negotiation.failures,
            wants_relay=connection.wants_relay,
        )

    def send(self, label: str, text: str) -> bool:
        """Send over the connection in use, or over the one that rises where that cannot."""
        attempts = (self._negotiation.live, self._negotiation.rising)
        numbers = (attempt.number for attempt in attempts if attempt is not None)
        connections = (self._connections[number] for number in numbers if number in self._connections)
        return any(connection.channels.send(label, text) for connection in connections)

    # From negotiation to connections

    def _carry_out(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Send(signal):
                    self._say(signal)
                case Offer(number):
                    self._start(number, self._offer(number, self._open(number)))
                case Answer(number, description):
                    self._start(number, self._answer(number, self._open(number), description))
                case Apply(number, description):
                    self._start(number, self._apply(number, description))
                case Dial(number, candidates):
                    self._start(number, self._dial(number, candidates))
                case Close(number):
                    self._shut(number)
        self._note_edges()

    def _say(self, signal: Signal) -> None:
        self._unsaid = signal if self._around.send(signal) is False else None

    def _say_again(self) -> None:
        """Once the room is back, what it should have carried, if that still holds."""
        rising = self._negotiation.rising
        if self._unsaid is not None and rising is not None and self._unsaid is rising.local:
            self._say(self._unsaid)

    def _open(self, number: int) -> Connection:
        outgoing = self._around.outgoing
        self._connections[number] = connection = Connection(
            self._around.ice_servers,
            outgoing.track() if outgoing is not None else None,
            None if self._around.open_sink is None else lambda block: self._hear(number, block),
            lambda state: self._change(number, state),
            self._read,
            receives=self.who.sends,
            forward=lambda packet, arrived_at: self._forward(number, packet, arrived_at),
            bit_rate=self._around.bit_rate,
        )
        return connection

    def _start(self, number: int, work: Coroutine[None, None, None]) -> None:
        """Do a connection's work beside everything else; it ends with the connection."""
        task = self._group.create_task(work)
        tasks = self._work.setdefault(number, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _offer(self, number: int, connection: Connection) -> None:
        with self._breaking(number):
            self._tell(Described(number, await connection.offer()))

    async def _answer(self, number: int, connection: Connection, offer: Description) -> None:
        with self._breaking(number):
            self._tell(Described(number, await connection.answer(offer)))

    async def _apply(self, number: int, description: Description) -> None:
        with self._breaking(number):
            await self._connections[number].apply(description)

    async def _dial(self, number: int, candidates: Sequence[Candidate]) -> None:
        with self._breaking(number):
            self._connections[number].announce(candidates)
            direct = [one for one in candidates if one.type != "relay"]
            await self._dial_addresses(number, [one for one in direct if not one.is_name])
            if len(direct) < len(candidates):
                self._start(number, self._dial_late(number, [one for one in candidates if one.type == "relay"]))
            for named in [one for one in direct if one.is_name]:
                address = await self._around.resolve(named.host)
                await self._dial_addresses(number, [replace(named, host=address or named.host)])

    async def _dial_late(self, number: int, relayed: Sequence[Candidate]) -> None:
        with self._breaking(number):
            if not self._around.ice_servers.relay_only and self._last_path != "relay":
                await asyncio.sleep(RELAY_AFTER_S)
            if self._connections[number].path is None:
                await self._dial_addresses(number, relayed)

    async def _dial_addresses(self, number: int, candidates: Sequence[Candidate]) -> None:
        nobodys = self._around.nobodys()
        allowed = []
        for one in candidates:
            reason = refusal(one, nobodys, allow_loopback=self._around.allow_loopback)
            if reason is None:
                allowed.append(one)
                continue
            self._around.drops.undialled += 1
            if len(self._undialled) < MAX_CANDIDATES:
                self._undialled[one.host] = reason
        if allowed:
            await self._connections[number].dial(allowed)

    @contextlib.contextmanager
    def _breaking(self, number: int) -> Iterator[None]:
        """What fails here breaks this one connection."""
        try:
            yield
        except LinkError as exc:
            log.debug("a connection failed peer=%s error=%s", self.who.id, exc)
            self._tell(Broken(number))

    def _stop_work(self, number: int) -> None:
        for task in tuple(self._work.pop(number, ())):
            task.cancel()

    def _shut(self, number: int) -> None:
        self._stop_work(number)
        connection = self._connections.pop(number, None)
        if connection is not None:
            if connection.path is None:
                self._around.ice_servers.pass_over(connection.servers)
            self._around.drops.data += connection.dropped
            closing = self._group.create_task(connection.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        if number == self._sounding:
            self._sounding = 0

    # From connections to negotiation and sink

    def _tell(self, event: Event) -> None:
        self._inbox.offer(event)

    def _change(self, number: int, state: str) -> None:
        if state != "connected":
            self._tell(Broken(number))
            return
        self._last_path = self._connections[number].path if number in self._connections else None
        self._around.paths[self._last_path or "host"] += 1
        self._tell(Connected(number))

    def _hear(self, number: int, block: NDArray[np.float32]) -> None:
        self._note_sound(number)
        if number == self._sounding and self.sink is not None:
            self.sink.write(block)

    def _forward(self, number: int, packet: RtpPacket, arrived_at: LocalSeconds) -> None:
        self._note_sound(number)
        if number == self._sounding and self.channel is not None:
            stream = (number << 20 ^ packet.ssrc) & 0xFFFFFFFF
            self.channel.put(stream, packet.sequence_number, packet.timestamp, packet.payload, arrived_at)

    def _note_sound(self, number: int) -> None:
        if number > self._sounding:
            self._sounding = number
            self._tell(Heard(number))

    def _read(self, label: str, text: str, received_at: LocalSeconds) -> None:
        """From either connection: which one is in use, the peer may have decided a moment before us."""
        reader = self._around.readers.get(label)
        if reader is not None:
            reader(self.who.id, text, received_at)

    def _look(self) -> None:
        """Tell the negotiation what the connections have heard since."""
        for number, connection in tuple(self._connections.items()):
            heard_at = connection.tap.reception.heard_at
            if connection.tap.flooded:
                self._carry_out(self._negotiation.receive(Broken(number), self._now))
            elif heard_at is not None:
                self._carry_out(self._negotiation.receive(Heard(number), heard_at))
        self._give_up_the_hopeless()
        self._renew_the_stale()
        self._say_again()
        if self.who.sends and self.is_heard and self._now - self._asked_at >= LOOK_S:
            self._asked_at = self._now  # players who left at once may have held every place until now
            self.sink = self.sink or self._open_sink()
            self.channel = self.channel or self._open_channel()

    def _open_sink(self) -> AudioSink | None:
        opens = self._around.open_sink
        return opens(self.who.id, self.who.name) if opens is not None and self.who.sends else None

    def _open_channel(self) -> PacketSink | None:
        opens = self._around.open_channel
        return opens(self.who.id, self.who.name) if opens is not None and self.who.sends else None

    def _give_up_the_hopeless(self) -> None:
        """An attempt for which no server answered, once one would: aiortc cannot add what it gathers later."""
        rising = self._negotiation.rising
        connection = self._connections.get(rising.number) if rising is not None else None
        if rising is None or connection is None or connection.answered is None or connection.path is not None:
            return
        if self._now - rising.started_at >= HOPE_S and self._around.ice_servers.would_add(connection.answered):
            self._carry_out(self._negotiation.receive(Broken(rising.number), self._now))

    def _renew_the_stale(self) -> None:
        """An offer with addresses that this machine has no longer."""
        rising = self._negotiation.rising
        connection = self._connections.get(rising.number) if rising is not None else None
        if rising is not None and rising.phase is Phase.OFFERED and connection is not None and connection.is_stale:
            self._carry_out(self._negotiation.renew(self._now))

    def _note_edges(self) -> None:
        is_connected = self.is_connected
        if is_connected != self._is_connected:
            log.info("a peer is %s id=%s name=%s", "connected" if is_connected else "lost", self.who.id, self.who.name)
        if is_connected:
            self._undialled.clear()
        elif self._negotiation.failures and self._undialled and not self._undialled_told:
            self._undialled_told = True
            refused = ", ".join(f"{address} ({reason})" for address, reason in self._undialled.items())
            log.warning(
                "no connection, and addresses not dialled peer=%s name=%s: %s", self.who.id, self.who.name, refused
            )
        self._is_connected = is_connected
        self._was_connected |= is_connected


@asynccontextmanager
async def open_peer(around: Surroundings, who: Participant) -> AsyncIterator[Peer]:
    """Yield a peer about to connect; say bye and close everything when left."""
    peer = None
    try:
        async with asyncio.TaskGroup() as group:
            peer = Peer(around, who, group)
            try:
                yield peer
            finally:
                await peer.close()
    finally:
        for sink in (peer.sink, peer.channel) if peer is not None else ():
            if sink is not None:
                sink.close()
