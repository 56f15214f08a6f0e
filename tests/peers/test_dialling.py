"""Which addresses one peer's candidates make this machine send packets to."""

import asyncio
import ipaddress
from pathlib import Path

from jambridge.peers import sdp
from jambridge.peers.candidates import Candidate
from jambridge.peers.peer import Peer, Surroundings, open_peer
from jambridge.peers.signals import RemoteCandidates, RemoteDescription
from jambridge.peers.status import Drops
from jambridge.room.messages import Participant
from jambridge.units import PeerId
from tests.fakes.switch import until

OFFER = (Path(__file__).parents[1] / "vectors" / "chromium-156-offer.sdp").read_text()
PEER = Participant(PeerId("a"), "a", is_host=False, joined_at=0, sends=True)
GATEWAY = "198.51.100.1"


def dialled(peer: Peer) -> set[str]:
    transports = [each._pc.getTransceivers()[0].receiver.transport for each in peer._connections.values()]
    return {one.host for each in transports for one in each.transport._connection.remote_candidates}


def hosts(*names: str) -> tuple[Candidate, ...]:
    return tuple(Candidate("1", index + 1, name, 9, "host") for index, name in enumerate(names))


def test_a_gateway_is_not_dialled() -> None:
    async def scenario() -> None:
        drops = Drops()
        around = Surroundings(
            PeerId("b"), lambda _: None, None, (), False, drops, lambda: {ipaddress.ip_address(GATEWAY)}
        )
        async with open_peer(around, PEER, lambda _, __: None) as peer:
            running = asyncio.create_task(peer.run())
            peer.post(RemoteDescription("c", sdp.parse("offer", OFFER)))
            peer.post(RemoteCandidates("c", hosts(GATEWAY, "198.51.100.2")))
            await until(lambda: dialled(peer) == {"192.0.2.2", "fd00::2", "198.51.100.2"})
            assert drops.undialled == 1
            running.cancel()

    asyncio.run(scenario())
