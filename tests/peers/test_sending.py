"""Our own packets are one stream whatever becomes of the card, and its time is that of the clock."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jambridge.audio.card import wire
from jambridge.audio.opus import Decoder, Encoder
from jambridge.audio.packetizer import OpusPacket
from jambridge.peers.outgoing import Outgoing
from jambridge.peers.sending import LATE_S, QUIET_S, Timeline, open_sending
from jambridge.units import Frames, LocalSeconds

RATE_HZ = 48_000
PAYLOAD = Encoder().encode(np.random.default_rng(1).uniform(-0.5, 0.5, (480, 2)).astype(np.float32))
BEGIN = LocalSeconds(1000.0)


def at(seconds: float) -> LocalSeconds:
    return LocalSeconds(BEGIN + seconds)


class Heard:
    """Instead of connections: packets, each with the time it was sent."""

    def __init__(self) -> None:
        self.packets: list[tuple[float, OpusPacket]] = []

    def put(self, packet: OpusPacket) -> None:
        self.packets.append((time.monotonic(), packet))


@contextmanager
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near.setblocking(False)
    with near, far:
        yield near, far


def sending(act: Callable[[socket.socket], object], seconds: float) -> Heard:
    """What is sent while the card's process does `act` with its end."""

    async def scenario(near: socket.socket, far: socket.socket) -> Heard:
        outgoing = Outgoing()
        heard = Heard()
        outgoing._tracks.add(heard)  # type: ignore[arg-type]
        async with open_sending(outgoing, near) as service:
            task = asyncio.create_task(service.run())
            await asyncio.sleep(0)
            act(far)
            await asyncio.sleep(seconds)
            task.cancel()
        return heard

    with sockets() as (near, far):
        return asyncio.run(scenario(near, far))


def test_packets_keep_their_place_and_another_process_goes_on_where_the_last_one_ended() -> None:
    timeline = Timeline(BEGIN)
    first = [timeline.place(480 * n, 480, at(0.01 * n)) for n in range(1, 50)]
    again = [timeline.place(240 * n, 240, at(0.5 + 0.005 * n)) for n in range(1, 50)]

    assert np.diff(first).tolist() == [480] * 48
    assert again[0] >= first[-1] + 480
    assert np.diff(again).tolist() == [240] * 48


def test_a_gap_of_the_card_is_a_gap_of_the_stream_as_long() -> None:
    timeline = Timeline(BEGIN)
    timeline.place(0, 480, at(0))
    silence = [place for n in range(1, 1000) if (place := timeline.fill(at(n / 1000))) is not None]
    back = timeline.place(0, 480, at(1.0))

    assert silence[0] == 480 * 10, "after a tenth of a second without anything"
    assert np.diff(silence).tolist() == [480] * 89
    assert back == 480 * 100


@given(stall_s=st.floats(LATE_S + 0.001, 100.0))
def test_after_a_stall_there_is_one_packet_of_silence_and_not_all_that_were_missed(stall_s: float) -> None:
    timeline = Timeline(BEGIN)
    first = timeline.fill(at(0))
    late = timeline.fill(at(0.01 + stall_s))

    assert first is not None and late is not None
    assert timeline.fill(at(0.01 + stall_s)) is None
    assert abs((late - first) / RATE_HZ - (0.01 + stall_s)) < 0.001, "the stream is as late as before, by nothing"


@given(events=st.lists(st.tuples(st.booleans(), st.floats(0, 0.3), st.integers(0, 2**40)), max_size=50))
def test_no_two_packets_overlap_whatever_comes(events: list[tuple[bool, float, int]]) -> None:
    timeline, now, end = Timeline(BEGIN), 0.0, 0
    for is_packet, passed_s, pts in events:
        now += passed_s
        place = timeline.place(pts, 480, at(now)) if is_packet else timeline.fill(at(now))
        if place is not None:
            assert place >= end
            end = place + 480


def test_without_a_card_there_is_silence_at_an_even_pace() -> None:
    heard = sending(lambda _: None, 1.0).packets

    assert 95 <= len(heard) <= 101
    assert np.abs(Decoder().decode(heard[-1][1].payload)).max() < 1e-9
    sent_s = np.array([moment for moment, _ in heard])
    places_s = np.array([packet.pts for _, packet in heard]) / RATE_HZ
    assert np.median(np.abs(np.diff(sent_s - places_s))) < 0.005


def test_silence_ends_with_the_first_packet_and_begins_again_after_the_last() -> None:
    def speak(far: socket.socket) -> None:
        for number in range(3):
            far.send(wire.encode_captured(OpusPacket(PAYLOAD, Frames(480 * number))))

    heard = [packet.payload for _, packet in sending(speak, 3 * QUIET_S).packets]
    spoken = [number for number, payload in enumerate(heard) if payload == PAYLOAD]
    assert len(spoken) == 3
    assert max(spoken) - min(spoken) == 2
    assert len(heard) > max(spoken) + 10, "silence again"


def test_garbage_from_the_card_is_passed_over() -> None:
    def garble(far: socket.socket) -> None:
        for garbage in (b"x", b"\0" * 8, b"\0" * 8 + b"\xff\xff\xff", b"y" * 2000):
            far.send(garbage)
        far.send(wire.encode_captured(OpusPacket(PAYLOAD, Frames(7 * 480))))

    heard = sending(garble, 0.05).packets
    assert PAYLOAD in [packet.payload for _, packet in heard]


def test_a_stalled_main_process_sends_no_burst_of_silence() -> None:
    heard = sending(lambda _: time.sleep(0.5), 0.1).packets

    assert 5 <= len(heard) <= 15
