"""Two peers on this machine, connected by real WebRTC: one sends our line-in, the other plays it on our line-out.

They have no room; their signals go straight to each other.
"""

from functools import partial

from jambridge.edges import Bounded, Latest
from jambridge.peers.mesh import Mesh, open_mesh
from jambridge.peers.peer import Surroundings
from jambridge.room.messages import Participant, Signal
from jambridge.services import Running, Services
from jambridge.sound import Sound
from jambridge.units import PeerId

MUSICIAN, LISTENER = PeerId("musician"), PeerId("listener")

_MOST_SIGNALS = 100


def start(services: Services, own: Sound) -> Running[Mesh]:
    """Returns the listener's mesh. Stop `MUSICIAN` and `LISTENER`, in this order."""
    members = tuple(
        Participant(peer, peer, is_host=False, joined_at=0.0, sends=peer == MUSICIAN) for peer in (MUSICIAN, LISTENER)
    )
    inboxes: dict[PeerId, Bounded[Signal]] = {member.id: Bounded(_MOST_SIGNALS) for member in members}

    def send(signal: Signal) -> None:
        inboxes[signal.target].offer(signal)

    musician = Surroundings(MUSICIAN, send, _nowhere, outgoing=own.outgoing, allow_loopback=True)
    listener = Surroundings(LISTENER, send, _nowhere, open_channel=own.desk.open, allow_loopback=True)
    meshes = [
        services.start(around.self_id, partial(open_mesh, around, Latest(members), inboxes[around.self_id], 1))
        for around in (musician, listener)
    ]
    return meshes[1]


def _nowhere(_peer: PeerId, _name: str) -> None:
    """Nothing is lit."""
