"""A peer that means harm, over a real association: it keeps nothing of ours waiting, growing or busy."""

import asyncio
import itertools
import os
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import (
    AbortChunk,
    Chunk,
    DataChunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    InitChunk,
    ReconfigChunk,
    SackChunk,
    ShutdownChunk,
)

from jambridge.peers import sctp
from jambridge.peers.channels import SYNC
from jambridge.peers.sctp import MAX_STREAMS, MAX_WAITING, Association
from jambridge.units import PeerId
from tests.fakes.switch import Member, Switch, member
from tests.fakes.waiting import until
from tests.peers.test_channels import ends, they_offer

FIRST, LAST, UNORDERED = 2, 1, 4
MOST = 2500  # kept, they would be more than is allowed in number and in bytes


def data(tsn: int, stream: int = 0, flags: int = UNORDERED, size: int = 1000, protocol: int = 51) -> DataChunk:
    chunk = DataChunk(flags)
    chunk.tsn, chunk.stream_id, chunk.protocol = tsn % (1 << 32), stream, protocol
    chunk.user_data = b"x" * size
    return chunk


def endless_fragments(tsn: int) -> Iterator[Chunk]:
    yield data(tsn, flags=UNORDERED | FIRST)
    yield from (data(tsn + n) for n in itertools.count(1))


def middles_with_gaps(tsn: int) -> Iterator[Chunk]:
    yield from (data(tsn + 2 * n, size=1) for n in itertools.count(1))


def far_ahead(tsn: int) -> Iterator[Chunk]:
    yield from (data(tsn + n * 65_000, flags=UNORDERED | FIRST) for n in itertools.count(1))


def many_streams(tsn: int) -> Iterator[Chunk]:
    yield from (data(tsn + n, stream=n % 65_536, flags=FIRST) for n in itertools.count())


def forwarded_streams(tsn: int) -> Iterator[Chunk]:
    for n in itertools.count(1):
        chunk = ForwardTsnChunk()
        chunk.cumulative_tsn = (tsn + n) % (1 << 32)
        chunk.streams = [((n * 200 + one) % 65_536, 1) for one in range(200)]
        yield chunk


def empty_fragments(tsn: int) -> Iterator[Chunk]:
    yield from (data(tsn + n, size=0) for n in itertools.count())


def huge_messages(tsn: int) -> Iterator[Chunk]:
    """Each 128 KiB, whole, and in order."""
    for n in itertools.count():
        ends_it = {0: FIRST, 127: LAST}.get(n % 128, 0)
        yield data(tsn + n, flags=UNORDERED | ends_it, size=1024)


def claimed_gaps(_tsn: int) -> Iterator[Chunk]:
    while True:
        chunk = SackChunk()
        chunk.gaps = [(1, 65_535)] * 300
        yield chunk


def openings(tsn: int) -> Iterator[Chunk]:
    for n in itertools.count():
        chunk = data(tsn + n, stream=n % MAX_STREAMS, flags=FIRST | LAST, protocol=50)
        chunk.user_data = struct.pack("!BBHLHH", 3, 0, 0, 0, 200, 0) + b"l" * 200
        yield chunk


def heartbeats(_tsn: int) -> Iterator[Chunk]:
    while True:
        chunk = HeartbeatChunk()
        chunk.params = [(1, b"x" * 1000)]
        yield chunk


def resets(_tsn: int) -> Iterator[Chunk]:
    for n in itertools.count(1):
        chunk = ReconfigChunk()
        chunk.params = [(13, struct.pack("!LLL", n, 0, 0) + bytes(400))] * 3
        yield chunk


def new_beginnings(_tsn: int) -> Iterator[Chunk]:
    while True:
        chunk = InitChunk()
        chunk.initiate_tag, chunk.outbound_streams, chunk.inbound_streams = 1, 65_535, 65_535
        chunk.initial_tsn = 7
        yield chunk


def noise(tsn: int) -> Iterator[Chunk]:
    """Every kind of chunk with a body of random bytes."""
    for n in itertools.count():
        chunk = Chunk(n % 8, os.urandom(n % 60))
        chunk.type = (0, 1, 2, 3, 4, 5, 9, 10, 11, 130, 192)[n % 11]
        yield chunk


def the_end(_tsn: int) -> Iterator[Chunk]:
    while True:
        yield ShutdownChunk()
        yield AbortChunk()


ATTACKS: list[Callable[[int], Iterator[Chunk]]] = [
    endless_fragments,
    middles_with_gaps,
    far_ahead,
    many_streams,
    forwarded_streams,
    empty_fragments,
    huge_messages,
    claimed_gaps,
    openings,
    heartbeats,
    resets,
    new_beginnings,
    noise,
    the_end,
]


def held(association: Association) -> int:
    """How many things the association keeps because of its peer."""
    inside: Any = association._sctp
    sets = (inside._sack_misordered, inside._sack_duplicates, inside._inbound_streams, inside._data_channels)
    return association.waiting + sum(map(len, sets)) + len(inside._sent_queue) + len(inside._outbound_queue)


async def attack(transport: RTCSctpTransport, chunks: Iterator[Chunk], seconds: float) -> int:
    """Send as fast as the socket takes them, with turns for others between; how many there were."""
    sent = 0
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at and (some := [*itertools.islice(chunks, 20)]):
        for chunk in some:
            if isinstance(chunk, SackChunk):
                chunk.cumulative_tsn = (transport._last_received_tsn or 0) % (1 << 32)
            await transport._send_chunk(chunk)
            sent += 1
        await asyncio.sleep(0.002)
    return sent


@pytest.mark.parametrize("chunks", ATTACKS, ids=lambda chunks: str(chunks.__name__))
def test_an_attack_leaves_little_behind_and_the_connection_alone(chunks: Callable[[int], Iterator[Chunk]]) -> None:
    unheard_of: list[dict[str, Any]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard_of.append(context))
        async with ends() as (ours, theirs):
            channel = theirs.createDataChannel("sync")
            await they_offer(ours, theirs)
            await until(lambda: channel.readyState == "open")
            association = ours.connection.channels._association
            assert association is not None and theirs.sctp is not None
            theirs.sctp.__dict__["_handle_data"] = _deaf  # our answers would end a library that keeps the rules
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            most = 0
            enough = itertools.islice(chunks(theirs.sctp._local_tsn), MOST)
            sending = asyncio.create_task(attack(theirs.sctp, enough, 2))
            while not sending.done():
                most = max(most, held(association))
                await asyncio.sleep(0.01)
            kept = tracemalloc.get_traced_memory()[0] - before
            tracemalloc.stop()
            assert await sending > 200
            assert most < 2 * MAX_WAITING + 200
            assert kept < 2_000_000
            assert set(ours.states) == {"connected"}
            assert "closed" not in {theirs.connectionState, ours.connection._pc.connectionState}

    asyncio.run(scenario())

    assert unheard_of == []


async def _deaf(_data: bytes) -> None:
    await asyncio.sleep(0)


def _association(of: Member, peer: str) -> Association:
    partner = of.mesh._partners[PeerId(peer)].peer
    assert partner is not None
    (connection,) = partner._connections.values()
    association = connection.channels._association
    assert association is not None
    return association


def test_a_flood_ends_its_connection_and_the_sound_of_another_is_untouched() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "a") as listener, member(switch, "b", 440), member(switch, "z", 660) as hostile:
            await until(lambda: listener.hears("b", 440))
            await until(lambda: hostile.mesh.send_sync(PeerId("a"), "hello"))
            ear = listener.ears[PeerId("b")][0]
            transport = _association(hostile, "a")._sctp
            frames, began = ear.frames, time.monotonic()
            flood = asyncio.create_task(attack(transport, endless_fragments(transport._local_tsn), 3))
            await until(lambda: _association(listener, "z").is_over)
            assert _association(listener, "z").waiting == 0
            await flood
            heard_s = (ear.frames - frames) / 48_000
            assert heard_s > 0.8 * (time.monotonic() - began)
            await until(lambda: listener.hears("b", 440))
            assert len(listener.ears[PeerId("b")]) == 1

    asyncio.run(scenario())


def test_what_never_ends_is_a_flood_and_what_pauses_is_none() -> None:
    moments = itertools.count()

    async def scenario() -> None:
        async with ends() as (ours, theirs):
            theirs.createDataChannel("sync")
            await they_offer(ours, theirs)
            await until(lambda: ours.connection.channels.is_open(SYNC))
            association = ours.connection.channels._association
            assert association is not None
            now = association._monotonic()
            association._monotonic = lambda: now + next(moments) / 10_000
            for _ in range(40_000):
                await association._chunk(HeartbeatChunk())
            assert not association.is_over
            for _ in range(40_000):
                await association._chunk(HeartbeatChunk())
            assert association.is_over
            assert set(ours.states) == {"connected"}

    asyncio.run(scenario())


def test_a_library_that_has_changed_inside_has_no_data_channels() -> None:
    class Changed:
        pass

    assert sctp.install(Changed(), None, lambda: None) is None  # type: ignore[arg-type]
