import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.audio.card import wire
from jambridge.audio.card.wire import HeardPacket
from jambridge.audio.packetizer import OpusPacket
from jambridge.errors import WireError
from jambridge.units import Frames, LocalSeconds

PAYLOADS = st.binary(min_size=1, max_size=1500)


@given(
    numbers=st.tuples(st.integers(0, 255), *[st.integers(0, 2**32 - 1)] * 2, st.integers(0, 2**16 - 1)),
    timestamp=st.integers(0, 2**32 - 1),
    arrived_at=st.floats(0, 1e9),
    payload=st.binary(max_size=1500),
)
def test_a_peers_packet_comes_out_as_it_went_in(
    numbers: tuple[int, int, int, int], timestamp: int, arrived_at: float, payload: bytes
) -> None:
    packet = HeardPacket(*numbers, timestamp, LocalSeconds(arrived_at), payload)

    assert wire.heard(packet.encode()) == packet
    assert len(packet.encode()) <= wire.MAX_BYTES


@given(pts=st.integers(0, 2**63), payload=PAYLOADS)
def test_our_own_packet_comes_out_as_it_went_in(pts: int, payload: bytes) -> None:
    packet = OpusPacket(payload, Frames(pts))

    assert wire.captured(wire.encode_captured(packet)) == packet


@given(garbage=st.binary(max_size=100))
def test_garbage_is_a_packet_or_a_wire_error(garbage: bytes) -> None:
    for decode in (wire.heard, wire.captured):
        try:
            decode(garbage)
        except WireError:
            assert len(garbage) < 32


def test_a_packet_without_sound_is_none() -> None:
    with pytest.raises(WireError):
        wire.captured(wire.encode_captured(OpusPacket(b"", Frames(480))))
