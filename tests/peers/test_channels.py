"""Data channels between real connections, with those of stock aiortc and with meshes."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from jambridge.peers import sdp
from jambridge.peers.channels import KINDS, MAX_CHANNELS, SYNC
from jambridge.peers.connection import Connection
from jambridge.peers.ice_servers import IceServers
from jambridge.peers.status import PeerState
from jambridge.room.messages import SignalType
from jambridge.units import LocalSeconds, PeerId
from tests.fakes.switch import Switch, member
from tests.fakes.waiting import until


@dataclass
class Ours:
    """Our end of a connection, and what it was told."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    arrivals: list[LocalSeconds] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = Connection(IceServers(), None, lambda _: None, self.states.append, self.read, receives=True)

    def read(self, label: str, text: str, received_at: LocalSeconds) -> None:
        self.texts.append((label, text))
        self.arrivals.append(received_at)


@asynccontextmanager
async def ends() -> AsyncIterator[tuple[Ours, RTCPeerConnection]]:
    ours, theirs = Ours(), RTCPeerConnection()
    theirs.addTransceiver("audio", "sendrecv")
    try:
        yield ours, theirs
    finally:
        await asyncio.gather(ours.connection.close(), theirs.close())


async def they_offer(ours: Ours, theirs: RTCPeerConnection) -> str:
    await theirs.setLocalDescription()
    offer = sdp.parse("offer", theirs.localDescription.sdp)
    answer = await ours.connection.answer(offer)
    await ours.connection.dial(offer.candidates)
    await theirs.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    return answer


async def we_offer(ours: Ours, theirs: RTCPeerConnection, change: Callable[[str], str] = str) -> None:
    await theirs.setRemoteDescription(RTCSessionDescription(await ours.connection.offer(), "offer"))
    await theirs.setLocalDescription()
    answer = sdp.parse("answer", change(theirs.localDescription.sdp))
    await ours.connection.apply(answer)
    await ours.connection.dial(answer.candidates)


def test_a_channel_that_stock_aiortc_offers_carries_texts_both_ways() -> None:
    async def scenario() -> None:
        async with ends() as (ours, theirs):
            heard: list[str] = []
            channel = theirs.createDataChannel("sync", ordered=False, maxRetransmits=0)
            channel.on("message", heard.append)
            answer = await they_offer(ours, theirs)
            assert re.search(r"m=application [1-9]", answer)
            assert "a=max-message-size:65536" in answer
            await until(lambda: ours.connection.channels.is_open(SYNC) and channel.readyState == "open")
            before = asyncio.get_running_loop().time()
            channel.send("ping")
            await until(lambda: ours.texts == [("sync", "ping")])
            assert before < ours.arrivals[0] < asyncio.get_running_loop().time()
            assert ours.connection.channels.send(SYNC, "pong")
            await until(lambda: heard == ["pong"])

    asyncio.run(scenario())


def test_our_offer_opens_every_channel_in_the_transport_of_the_sound() -> None:
    async def scenario() -> None:
        async with ends() as (ours, theirs):
            opened: list[RTCDataChannel] = []
            theirs.on("datachannel", opened.append)
            await we_offer(ours, theirs)
            await until(lambda: all(ours.connection.channels.is_open(label) for label in KINDS))
            kinds = [(channel.label, channel.ordered, channel.maxRetransmits) for channel in opened]
            assert kinds == [("sync", False, 0), ("midi", False, 0), ("sysex", True, None)]
            channel = opened[0]
            assert theirs.sctp is not None
            assert theirs.sctp.transport is theirs.getTransceivers()[0].receiver.transport
            channel.send("hello")
            await until(lambda: ours.texts == [("sync", "hello")])

    asyncio.run(scenario())


def test_a_peer_that_refuses_data_channels_is_connected_without() -> None:
    async def scenario() -> None:
        async with ends() as (ours, theirs):
            await we_offer(ours, theirs, lambda text: re.sub(r"m=application \d+", "m=application 0", text))
            await until(lambda: "connected" in ours.states)
            assert not ours.connection.channels.send(SYNC, "hello")
            assert ours.connection._pc.sctp is not None
            assert ours.connection._pc.sctp.state == "new"

    asyncio.run(scenario())


def test_an_offer_of_sound_alone_is_answered_with_sound_alone() -> None:
    async def scenario() -> None:
        async with ends() as (ours, theirs):
            answer = await they_offer(ours, theirs)
            await until(lambda: ours.states == ["connected"])
            assert "m=application" not in answer
            assert not ours.connection.channels.send(SYNC, "hello")

    asyncio.run(scenario())


def test_unknown_and_second_channels_are_closed_and_the_first_goes_on() -> None:
    async def scenario() -> None:
        async with ends() as (ours, theirs):
            channel, unknown, second = (theirs.createDataChannel(label) for label in ("sync", "chat", "sync"))
            await they_offer(ours, theirs)
            await until(lambda: {unknown.readyState, second.readyState} == {"closed"})
            channel.send("ping")
            await until(lambda: ours.texts == [("sync", "ping")])
            assert ours.connection.channels.dropped == 2

    asyncio.run(scenario())


def test_a_channel_closed_by_the_peer_may_be_opened_again() -> None:
    async def scenario() -> None:
        async with ends() as (ours, theirs):
            channel = theirs.createDataChannel("sync")
            await they_offer(ours, theirs)
            await until(lambda: channel.readyState == "open")
            channel.close()
            await until(lambda: channel.readyState == "closed")
            assert not ours.connection.channels.send(SYNC, "hello")
            again = theirs.createDataChannel("sync")
            await until(lambda: again.readyState == "open")
            again.send("ping")
            await until(lambda: ours.texts == [("sync", "ping")])

    asyncio.run(scenario())


def test_too_many_channels_end_the_association_and_not_the_connection() -> None:
    async def scenario() -> None:
        async with ends() as (ours, theirs):
            channels = [theirs.createDataChannel(f"c{number}") for number in range(MAX_CHANNELS * 2)]
            await they_offer(ours, theirs)
            await until(lambda: {channel.readyState for channel in channels} == {"closed"})
            assert ours.states == ["connected"]

    asyncio.run(scenario())


@pytest.mark.parametrize("message", ["x" * (KINDS[SYNC].max_bytes + 1), b"binary", "", "x" * 65536])
def test_what_is_too_long_or_no_text_is_dropped(message: str | bytes) -> None:
    async def scenario() -> None:
        async with ends() as (ours, theirs):
            channel = theirs.createDataChannel("sync")
            await they_offer(ours, theirs)
            await until(lambda: channel.readyState == "open")
            channel.send(message)
            channel.send("short")
            await until(lambda: ours.texts == [("sync", "short")])
            assert ours.connection.channels.dropped == 1

    asyncio.run(scenario())


def test_more_messages_than_a_channel_has_are_dropped() -> None:
    async def scenario() -> None:
        async with ends() as (ours, theirs):
            channel = theirs.createDataChannel("sync")
            await they_offer(ours, theirs)
            await until(lambda: channel.readyState == "open")
            for number in range(int(KINDS[SYNC].burst) + 200):
                channel.send(str(number))
            await until(lambda: ours.connection.channels.dropped > 0)
            assert len(ours.texts) < KINDS[SYNC].burst + 200

    asyncio.run(scenario())


def test_nothing_is_sent_that_is_too_long_or_finds_the_channel_congested() -> None:
    async def scenario() -> None:
        async with ends() as (ours, theirs):
            channels = ours.connection.channels
            assert not channels.send(SYNC, "too early")
            await we_offer(ours, theirs)
            await until(lambda: channels.is_open(SYNC))
            assert not channels.send(SYNC, "x" * (KINDS[SYNC].max_bytes + 1))
            sent = 0
            while channels.send(SYNC, "x" * 1000):  # the event loop has no turn in which to send
                sent += 1
            assert sent * 1000 <= KINDS[SYNC].most_waiting
            await until(lambda: channels.send(SYNC, "again"))

    asyncio.run(scenario())


def test_members_of_a_room_talk_over_sync_whoever_offers_and_hear_each_other() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "a", 440) as first, member(switch, "b", 660) as second:
            await until(lambda: first.mesh.send_sync(PeerId("b"), "from a"))
            await until(lambda: second.mesh.send_sync(PeerId("a"), "from b"))
            await until(lambda: ("a", "from a") in second.texts and ("b", "from b") in first.texts)
            await until(lambda: first.hears("b", 660) and second.hears("a", 440))
            assert not first.mesh.send_sync(PeerId("nobody"), "hello")

    asyncio.run(scenario())


def test_two_who_only_listen_talk_over_sync() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "a") as first, member(switch, "b") as second:
            await until(lambda: first.mesh.send_sync(PeerId("b"), "from a"))
            await until(lambda: second.mesh.send_sync(PeerId("a"), "from b"))
            await until(lambda: ("a", "from a") in second.texts and ("b", "from b") in first.texts)
            assert first.ears == {}

    asyncio.run(scenario())


def test_one_connection_replaces_another_and_no_moment_is_without_a_channel() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "a") as listener, member(switch, "b", 440) as player:
            await until(lambda: listener.hears("b", 440) and listener.mesh.send_sync(PeerId("b"), "first"))
            player.plays = False
            await until(lambda: listener.mesh.peers()[0].state is PeerState.RECONNECTING)
            offers = 1
            refused = 0
            while offers == 1 or not any(signal.type is SignalType.BYE for signal in switch.sent):
                refused += not listener.mesh.send_sync(PeerId("b"), "still there")
                refused += not player.mesh.send_sync(PeerId("a"), "still there")
                names = {signal.connection for signal in switch.sent if signal.type is SignalType.OFFER}
                offers = len(names)
                player.plays = offers > 1
                await asyncio.sleep(0.02)
            assert refused == 0
            await until(lambda: listener.hears("b", 440))
            await until(lambda: listener.mesh.send_sync(PeerId("b"), "after"))
            await until(lambda: ("a", "after") in player.texts)

    asyncio.run(scenario())
