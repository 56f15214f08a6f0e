"""A musician's process is killed, and comes back under a new id."""

import asyncio

import pytest

from jambridge.peers.status import PeerState
from jambridge.units import PeerId
from tests.fakes.remote_peer import remote_peer
from tests.fakes.switch import Switch, member
from tests.fakes.waiting import until


@pytest.mark.slow
def test_a_killed_peer_is_noticed_and_heard_again_under_its_new_id() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "m-listener") as listener, member(switch, "z-other", 660):
            async with remote_peer(switch, "first", "440") as remote:
                await until(lambda: listener.hears("first", 440))
                remote.kill()
                await until(
                    lambda: (
                        {status.id: status.state for status in listener.mesh.peers()}[PeerId("first")]
                        is PeerState.RECONNECTING
                    )
                )
                assert listener.hears("z-other", 660)
            async with remote_peer(switch, "second", "880"):
                await until(lambda: listener.hears("second", 880))
                await until(lambda: [ear.closed for ear in listener.ears[PeerId("first")]] == [True])
            assert listener.hears("z-other", 660)
            assert len(listener.ears[PeerId("z-other")]) == 1

    asyncio.run(scenario())
