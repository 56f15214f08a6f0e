import asyncio
import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from aiortc import RTCPeerConnection
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from jambridge.audio.opus import FRAME_FRAMES, Encoder
from jambridge.peers import tap
from jambridge.peers.tap import MAX_BURST, MAX_CONCEALED_FRAMES, MAX_RATE, MAX_SOURCES, Tap


@dataclass
class Packet:
    sequence_number: int
    timestamp: int
    payload: bytes
    ssrc: int = 1


@dataclass
class Listener:
    blocks: list[NDArray[np.float32]] = field(default_factory=list)

    def write(self, block: NDArray[np.float32]) -> None:
        self.blocks.append(block)

    @property
    def frames(self) -> int:
        return sum(map(len, self.blocks))


def stream(count: int, first_sequence: int = 65_530, first_timestamp: int = 2**32 - 960) -> list[Packet]:
    """A tone in packets of 10 ms, across both wraps."""
    encoder = Encoder()
    time_s = np.arange(count * FRAME_FRAMES) / 48_000
    mono = 0.5 * np.sin(2 * np.pi * 440 * time_s)
    frames = np.split(np.stack([mono, mono], axis=1).astype(np.float32), count)
    payloads = [encoder.encode(frame) for frame in frames]
    return [
        Packet((first_sequence + i) & 0xFFFF, (first_timestamp + i * FRAME_FRAMES) & 0xFFFFFFFF, payload)
        for i, payload in enumerate(payloads)
    ]


def played(packets: list[Packet]) -> tuple[Listener, Tap]:
    listener = Listener()
    sound = Tap(listener.write, monotonic=lambda: 1.0)
    for packet in packets:
        assert sound.add(packet) == (False, None)
    return listener, sound


def test_packets_in_order_are_decoded_as_they_arrive() -> None:
    listener, sound = played(stream(20))

    assert [len(block) for block in listener.blocks] == [FRAME_FRAMES] * 20
    assert (sound.reception.packets, sound.reception.concealed, sound.reception.late) == (20, 0, 0)
    assert sound.reception.heard_at == 1.0


def test_the_level_is_that_of_the_last_tenths_of_a_second() -> None:
    _, sound = played(stream(60))

    assert sound.reception.mean_square == pytest.approx(0.125, rel=0.02)


def test_two_packets_that_changed_places_are_put_right() -> None:
    packets = stream(20)
    packets[9], packets[10] = packets[10], packets[9]

    ordered, _ = played(stream(20))
    listener, sound = played(packets)

    np.testing.assert_array_equal(np.concatenate(listener.blocks), np.concatenate(ordered.blocks))
    assert sound.reception.concealed == 0


def test_a_lost_packet_is_concealed_when_the_next_but_one_arrives_and_time_is_kept() -> None:
    packets = stream(20)
    del packets[9]

    listener, sound = played(packets)

    assert listener.frames == 20 * FRAME_FRAMES
    assert sound.reception.concealed == 1
    assert sound.reception.loss > 0
    assert 0 < np.abs(listener.blocks[9]).max() < 0.6


def test_the_concealing_fades_to_silence() -> None:
    packets = stream(20)
    del packets[5:11]

    listener, _ = played(packets)

    concealed = listener.blocks[5]
    assert len(concealed) == 6 * FRAME_FRAMES
    assert np.abs(concealed[:100]).max() > 0.3
    assert np.abs(concealed[1000:]).max() == 0


def test_a_long_gap_is_cut_short() -> None:
    packets = stream(60)
    del packets[5:55]

    listener, sound = played(packets)

    assert listener.frames == 10 * FRAME_FRAMES + MAX_CONCEALED_FRAMES
    assert sound.reception.concealed == 50


def test_a_jump_is_a_new_beginning() -> None:
    before, after = stream(5), stream(5, first_sequence=30_000, first_timestamp=77)

    listener, sound = played(before + after)

    assert listener.frames == 10 * FRAME_FRAMES
    assert sound.reception.concealed == 0


def test_a_packet_twice_or_too_late_is_left_out() -> None:
    packets = stream(10)

    listener, sound = played([*packets, packets[3], packets[9]])

    assert listener.frames == 10 * FRAME_FRAMES
    assert sound.reception.late == 2


def test_a_packet_that_is_not_opus_is_counted_and_the_sound_goes_on() -> None:
    packets = stream(10)
    packets[4] = Packet(packets[4].sequence_number, packets[4].timestamp, b"\xff")

    listener, sound = played(packets)

    assert sound.reception.malformed == 1
    assert listener.frames >= 9 * FRAME_FRAMES


def test_too_many_sources_are_noticed_and_not_played() -> None:
    packet = stream(1)[0]

    listener, sound = played([Packet(1, 0, packet.payload, ssrc) for ssrc in range(100)])

    assert sound.flooded
    assert len(listener.blocks) == MAX_SOURCES


def arriving(rate: int, seconds: float) -> tuple[Listener, Tap]:
    """Decodable packets at `rate` a second."""
    now = 0.0
    packet = stream(1)[0]
    listener = Listener()
    sound = Tap(listener.write, monotonic=lambda: now)
    for index in range(int(rate * seconds)):
        now = index / rate
        sound.add(Packet(index & 0xFFFF, index * FRAME_FRAMES & 0xFFFFFFFF, packet.payload))
    return listener, sound


def test_the_shortest_opus_packets_are_all_played() -> None:
    listener, sound = arriving(400, seconds=6)

    assert len(listener.blocks) == 2400
    assert (sound.reception.excess, sound.flooded) == (0, False)


def test_a_flood_is_cut_before_decoding_and_ends_the_connection_when_it_lasts() -> None:
    listener, short = arriving(5000, seconds=4)
    decoded = sum(len(block) == FRAME_FRAMES for block in listener.blocks)
    assert decoded <= MAX_BURST + 4 * MAX_RATE
    assert short.reception.excess >= 20_000 - MAX_BURST - 4 * MAX_RATE
    assert not short.flooded

    _, lasting = arriving(5000, seconds=6)
    assert lasting.flooded


def test_stalls_of_a_network_are_no_flood() -> None:
    now = 0.0
    sound = Tap(Listener().write, monotonic=lambda: now)
    packets = stream(300)
    for stall in range(10):
        now = 3.0 * stall
        for packet in packets:
            sound.add(packet)

    assert sound.reception.excess == 10 * (300 - MAX_BURST)
    assert not sound.flooded


def test_a_sink_that_raises_does_not_reach_aiortc() -> None:
    def write(block: NDArray[np.float32]) -> None:
        raise RuntimeError("a bug elsewhere")

    sound = Tap(write)

    assert [sound.add(packet) for packet in stream(3)] == [(False, None)] * 3
    assert sound.reception.failures == 3


@given(
    arrivals=st.lists(
        st.tuples(st.integers(0, 0xFFFF) | st.integers(0, 20), st.integers(0, 2**32 - 1), st.binary(max_size=30))
    )
)
def test_any_packets_are_survived_and_each_adds_a_bounded_amount(arrivals: list[tuple[int, int, bytes]]) -> None:
    listener = Listener()
    sound = Tap(listener.write)
    for sequence, timestamp, payload in arrivals:
        before = listener.frames
        assert sound.add(Packet(sequence, timestamp, payload)) == (False, None)
        assert listener.frames - before <= MAX_CONCEALED_FRAMES + 3 * 5760  # a packet is 120 ms at most
    assert sound.reception.failures == 0


@given(order=st.permutations(range(8)), lost=st.sets(st.integers(0, 7), max_size=3))
def test_in_whatever_order_no_time_is_invented(order: list[int], lost: set[int]) -> None:
    packets = stream(12)
    middle = [packets[2 + i] for i in order if i not in lost]

    listener, sound = played([*packets[:2], *middle, *packets[10:]])

    assert listener.frames <= 12 * FRAME_FRAMES
    assert sound.reception.failures == 0


def test_a_receiver_of_the_pinned_aiortc_takes_the_tap_and_an_unknown_one_does_not() -> None:
    async def scenario() -> None:
        connection = RTCPeerConnection()
        receiver = connection.addTransceiver("audio").receiver
        assert tap.install(receiver, Tap(Listener().write))
        await connection.close()

    asyncio.run(scenario())
    assert not tap.install(object(), Tap(Listener().write))


def test_sequence_numbers_differ_by_the_shorter_way() -> None:
    for first, second in itertools.product((0, 1, 0x7FFF, 0x8000, 0xFFFF), repeat=2):
        assert -0x8000 <= tap._signed16(first - second) < 0x8000
    assert tap._signed16(0 - 0xFFFF) == 1
