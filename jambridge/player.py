"""A member that plays a sound file: for the demo, the tests and the benches; real WebRTC like any musician."""

import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from jambridge import __version__
from jambridge.audio.pace import Stereo, paced
from jambridge.edges import Latest
from jambridge.peers.channels import SYNC
from jambridge.peers.ice_servers import IceServers
from jambridge.peers.mesh import open_mesh
from jambridge.peers.outgoing import Outgoing
from jambridge.peers.peer import Surroundings
from jambridge.room.client import ROOM_RETRY_S, open_room
from jambridge.room.edges import Address, RoomEdges, open_sharing
from jambridge.room.messages import Participant
from jambridge.services import Services
from jambridge.sync.service import Sync, open_sync
from jambridge.units import PeerId


async def play(address: Address, topic: str, name: str, sound: Iterator[Stereo]) -> None:
    """Join as `name` and play `sound` at the pace of a sound card, to its end."""
    async with open_player(address, topic, name) as outgoing:
        async for block in paced(sound):
            outgoing.write(block)


@asynccontextmanager
async def open_player(
    address: Address, topic: str, name: str, ice_servers: IceServers | None = None
) -> AsyncIterator[Outgoing]:
    """A seat in the room; what is written to the `Outgoing` is heard by everyone there."""
    own = PeerId(secrets.token_hex(8))
    room, outgoing, services = RoomEdges(own), Outgoing(), Services()
    me = Participant(
        id=own,
        name=name,
        is_host=False,
        joined_at=time.time(),
        client=f"jambridge-player/{__version__}",
    )
    sync = Sync(
        own, lambda: room.view.value.host, lambda peer, text: bool(mesh.present and mesh.present.send_sync(peer, text))
    )
    around = Surroundings(
        own,
        room.say,
        None,
        outgoing=outgoing,
        readers={SYNC: sync.receive},
        ice_servers=ice_servers or IceServers(),
    )
    where: Latest[Address | None] = Latest(address)
    services.start("room", lambda: open_room(where, topic, me, room), ROOM_RETRY_S)
    services.start("sharing", lambda: open_sharing(room))
    mesh = services.start(
        "mesh",
        lambda: open_mesh(around, room.members, room.signals, 3),
    )
    services.start("sync", lambda: open_sync(sync))  # a player may be the host, whom the others ask for the time
    try:
        yield outgoing
    finally:
        await services.stop("mesh", "room")
