"""The mesh: a connection with every partner in the room, each on its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from jambridge.edges import Bounded, Latest
from jambridge.errors import WireError
from jambridge.peers.channels import SYNC
from jambridge.peers.peer import Peer, Surroundings, open_peer
from jambridge.peers.roles import partners
from jambridge.peers.signals import read
from jambridge.peers.status import SILENT_DBFS, Drops, PeerState, PeerStatus
from jambridge.room.messages import Participant, Signal
from jambridge.supervise import Health, supervise
from jambridge.units import PeerId

LINGER_S = 15.0  # a peer gone from presence but still heard: the hub restarted, and sound goes on meanwhile
SILENT_S = 8.0  # and one that is silent as well, without a bye: behind a cable that is out, or dead
_LOOK_S = 0.5
_NAMED = ("jambridge", "jam-page/", "socket.io")  # clients that say who they are with each signal, or send none


@dataclass(slots=True)
class _Partner:
    who: Participant
    health: Health
    task: asyncio.Task[None] | None = None
    peer: Peer | None = None
    missing_since: float | None = None


class Mesh:
    """Follows the members of a room. Use `open_mesh`."""

    def __init__(
        self,
        around: Surroundings,
        members: Latest[tuple[Participant, ...]],
        signals: Bounded[Signal],
        max_peers: int,
    ) -> None:
        self.paths = around.paths
        self.ice_servers = around.ice_servers
        self._around = around
        self._members = members
        self._signals = signals
        self._max_peers = max_peers
        self._partners: dict[PeerId, _Partner] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(group))
            group.create_task(self._route(group))
            group.create_task(self.ice_servers.run())

    @property
    def drops(self) -> Drops:
        """Until now."""
        drops = self._around.drops
        return replace(drops, data=drops.data + sum(peer.dropped for peer in self._present()))

    def peers(self) -> list[PeerStatus]:
        return [_status(partner) for partner in self._partners.values()]

    def send_sync(self, peer: PeerId, text: str) -> bool:
        """Send over a partner's `sync` channel; False where there is none, or it is congested."""
        partner = self._partners.get(peer)
        return partner is not None and partner.peer is not None and partner.peer.send(SYNC, text)

    def send_all(self, label: str, text: str) -> int:
        """Send over every partner's channel of that name; how many of them took it."""
        return sum(peer.send(label, text) for peer in self._present())

    def connected_over(self, label: str) -> set[PeerId]:
        """Those that are connected, with a channel of that name that is open."""
        present = self._present()
        return {one.who.id for one in present if one.reads(label) and one.status().state is PeerState.CONNECTED}

    def _present(self) -> list[Peer]:
        return [partner.peer for partner in self._partners.values() if partner.peer is not None]

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        while True:
            seen = self._members.value
            self._reconcile(group)
            lingering = any(partner.missing_since is not None for partner in self._partners.values())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S if lingering else None):
                    await self._members.changed(seen)

    async def _route(self, group: asyncio.TaskGroup) -> None:
        while True:
            signal = await self._signals.get()
            self._reconcile(group)  # presence came before the signal, but may not have been looked at yet
            self._deliver(signal)

    def _deliver(self, signal: Signal) -> None:
        peer = self._sender(signal.sender)
        if peer is None:
            self._around.drops.unknown_sender += 1
            return
        try:
            peer.post(read(signal))
        except WireError:
            self._around.drops.malformed += 1

    def _sender(self, sender: PeerId | None) -> Peer | None:
        """An older app does not say who sends: then there must be exactly one that may be such an app."""
        found = self._partners.get(sender) if sender is not None else self._only_older()
        return found.peer if found is not None else None

    def _only_older(self) -> _Partner | None:
        older = [partner for partner in self._partners.values() if not partner.who.client.startswith(_NAMED)]
        return older[0] if len(older) == 1 else None

    def _reconcile(self, group: asyncio.TaskGroup) -> None:
        members = {member.id: member for member in self._members.value}
        if self._around.self_id not in members:
            members = {}  # we are not back in the room ourselves: what is missing says nothing yet
        wanted = partners(self._around.self_id, members.values(), self._max_peers)
        for peer_id, partner in tuple(self._partners.items()):
            if peer_id in wanted and _is_the_same(partner.who, members[peer_id]):
                partner.missing_since = None
            elif not self._lingers(partner, present=peer_id in members):
                self._end(peer_id)
        for peer_id in wanted - self._partners.keys():
            self._begin(members[peer_id], group)

    def _lingers(self, partner: _Partner, *, present: bool) -> bool:
        if present or partner.peer is None or not partner.peer.is_connected:
            return False
        now = asyncio.get_running_loop().time()
        if partner.missing_since is None:
            partner.missing_since = now
        return now - partner.missing_since < (LINGER_S if partner.peer.is_heard else SILENT_S)

    def _begin(self, who: Participant, group: asyncio.TaskGroup) -> None:
        partner = self._partners[who.id] = _Partner(who, Health(f"peer {who.id}"))
        partner.task = group.create_task(supervise(partner.health, lambda: self._open(partner)))

    def _end(self, peer_id: PeerId) -> None:
        task = self._partners.pop(peer_id).task
        if task is not None:
            task.cancel()

    @asynccontextmanager
    async def _open(self, partner: _Partner) -> AsyncIterator[Peer]:
        async with open_peer(self._around, partner.who) as peer:
            partner.peer = peer
            try:
                yield peer
            finally:
                partner.peer = None


@asynccontextmanager
async def open_mesh(
    around: Surroundings, members: Latest[tuple[Participant, ...]], signals: Bounded[Signal], max_peers: int
) -> AsyncIterator[Mesh]:
    """Yield a mesh to be run. Its connections live while `run` does: cancelled, it says bye to all at once.

    Args:
        around: ourselves, and what all connections share.
        members: everyone in the room, this one included.
        signals: those addressed to us.
        max_peers: players beside this one.
    """
    yield Mesh(around, members, signals, max_peers)


def _is_the_same(before: Participant, now: Participant) -> bool:
    """As far as a connection is concerned: a box that was away may have got a sound card."""
    return (before.sends, before.name) == (now.sends, now.name)


def _status(partner: _Partner) -> PeerStatus:
    if partner.peer is not None:
        return partner.peer.status()
    who = partner.who
    return PeerStatus(who.id, who.name, PeerState.DISCONNECTED, "new", None, 0.0, SILENT_DBFS, None, 0)
