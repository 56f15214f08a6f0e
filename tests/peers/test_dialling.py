"""Which addresses one peer's candidates make this machine send packets to."""

import asyncio
import ipaddress
import logging
from pathlib import Path

import pytest

from jambridge.peers import sdp
from jambridge.peers.candidates import Candidate
from jambridge.peers.ice_servers import IceServers
from jambridge.peers.peer import RELAY_AFTER_S, Peer, Surroundings, open_peer
from jambridge.peers.signals import RemoteBye, RemoteCandidates, RemoteDescription
from jambridge.peers.status import Drops
from jambridge.room.messages import Participant
from jambridge.units import PeerId
from tests.fakes.waiting import until

OFFER = (Path(__file__).parents[1] / "vectors" / "chromium-156-offer.sdp").read_text()
SELF = PeerId("b")
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
        nobodys = {ipaddress.ip_address(GATEWAY)}
        around = Surroundings(SELF, lambda _: None, lambda _, __: None, drops=drops, nobodys=lambda: nobodys)
        async with open_peer(around, PEER) as peer:
            running = asyncio.create_task(peer.run())
            peer.post(RemoteDescription("c", sdp.parse("offer", OFFER)))
            peer.post(RemoteCandidates("c", hosts(GATEWAY, "198.51.100.2")))
            await until(lambda: dialled(peer) == {"192.0.2.2", "fd00::2", "198.51.100.2"})
            assert drops.undialled == 1
            running.cancel()

    asyncio.run(scenario())


def test_a_name_is_dialled_where_it_leads_and_only_if_an_address_there_might_be() -> None:
    answers = {
        "peer.local": "198.51.100.2",
        "gateway.local": GATEWAY,
        "me.local": "127.0.0.1",
        "all.local": "224.0.0.1",
    }

    async def resolve(name: str) -> str | None:
        return answers.get(name)

    async def scenario() -> None:
        drops = Drops()
        nobodys = {ipaddress.ip_address(GATEWAY)}
        around = Surroundings(
            SELF, lambda _: None, lambda _, __: None, drops=drops, nobodys=lambda: nobodys, resolve=resolve
        )
        async with open_peer(around, PEER) as peer:
            running = asyncio.create_task(peer.run())
            peer.post(RemoteDescription("c", sdp.parse("offer", OFFER)))
            peer.post(
                RemoteCandidates("c", hosts("nobody.local", "gateway.local", "me.local", "all.local", "peer.local"))
            )
            await until(lambda: dialled(peer) == {"192.0.2.2", "fd00::2", "198.51.100.2"})
            assert drops.undialled == 4
            running.cancel()

    asyncio.run(scenario())


def test_a_relay_is_dialled_when_the_direct_ways_have_had_their_time_unless_nothing_else_may_be_used() -> None:
    relayed = Candidate("r", 1, "198.51.100.7", 9, "relay")

    async def seconds_to_relay(servers: IceServers) -> float:
        around = Surroundings(SELF, lambda _: None, lambda _, __: None, nobodys=set, ice_servers=servers)
        async with open_peer(around, PEER) as peer:
            running = asyncio.create_task(peer.run())
            peer.post(RemoteDescription("c", sdp.parse("offer", OFFER)))
            peer.post(RemoteCandidates("c", (*hosts("198.51.100.2"), relayed)))
            began = asyncio.get_running_loop().time()
            await until(lambda: "198.51.100.2" in dialled(peer))
            await until(lambda: "198.51.100.7" in dialled(peer))
            running.cancel()
            return asyncio.get_running_loop().time() - began

    assert asyncio.run(seconds_to_relay(IceServers())) >= RELAY_AFTER_S
    assert asyncio.run(seconds_to_relay(IceServers(relay_only=True))) < RELAY_AFTER_S


def test_of_a_connection_that_fails_it_is_said_which_address_was_not_dialled_and_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        nobodys = {ipaddress.ip_address(GATEWAY)}
        around = Surroundings(SELF, lambda _: None, lambda _, __: None, nobodys=lambda: nobodys)
        async with open_peer(around, PEER) as peer:
            running = asyncio.create_task(peer.run())
            peer.post(RemoteDescription("c", sdp.parse("offer", OFFER)))
            peer.post(RemoteCandidates("c", hosts(GATEWAY)))
            await until(lambda: GATEWAY in peer.status().undialled)
            assert not peer.status().failures
            assert not caplog.records
            peer.post(RemoteBye("c"))
            await until(lambda: peer.status().failures > 0)
            running.cancel()

    with caplog.at_level(logging.WARNING, "jambridge.peers.peer"):
        asyncio.run(scenario())
    (said,) = caplog.messages
    assert said.endswith(f"peer=a name=a: {GATEWAY} (a gateway or broadcast address of this network)")
