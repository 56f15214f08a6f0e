import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.light import ddp


def test_two_rgb_pixels_are_one_pushed_packet() -> None:
    pixels = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)

    (packet,) = ddp.encode(pixels, frame_index=0)

    assert packet == bytes.fromhex("41 01 0b 01 00000000 0006 ff0000 0000ff")


def test_white_pixels_are_of_another_type() -> None:
    (packet,) = ddp.encode(np.array([[1, 2, 3, 4]], np.uint8), frame_index=14)

    assert packet == bytes.fromhex("41 0f 1b 01 00000000 0004 01020304")


@given(count=st.integers(1, 2000), channels=st.sampled_from([3, 4]), index=st.integers(0))
def test_packets_cover_the_frame_once_and_only_the_last_pushes(count: int, channels: int, index: int) -> None:
    pixels = np.arange(count * channels, dtype=np.uint32).astype(np.uint8).reshape(count, channels)

    packets = list(ddp.encode(pixels, index))

    assert b"".join(p[10:] for p in packets) == pixels.tobytes()
    assert [p[0] & 1 for p in packets] == [0] * (len(packets) - 1) + [1]
    assert all(len(p) <= 10 + ddp.MAX_DATA for p in packets)
    assert all(1 <= p[1] <= 15 for p in packets)


@given(count=st.integers(1, 1000), channels=st.sampled_from([3, 4]), index=st.integers(0, 100))
def test_decode_undoes_encode(count: int, channels: int, index: int) -> None:
    pixels = np.arange(count * channels, dtype=np.uint32).astype(np.uint8).reshape(count, channels)
    strip = bytearray(pixels.size)

    for packet in map(ddp.decode, ddp.encode(pixels, index)):
        start = packet.first_pixel * packet.channels
        strip[start : start + len(packet.data)] = packet.data

    assert strip == pixels.tobytes()


def test_an_empty_strip_is_refused() -> None:
    with pytest.raises(ValueError, match="pixels must be"):
        next(ddp.encode(np.empty((0, 3), np.uint8), 0))


@pytest.mark.parametrize(
    ("packet", "taken"),
    [
        pytest.param("41 03 0b 01 00000006 0003 0a0b0c", ddp.Packet(2, 3, b"\n\v\f", 3, push=True), id="an offset"),
        pytest.param("40 00 0b 01 00000007 0003 0a0b0c", ddp.Packet(2, 3, b"\n\v\f", 0, push=False), id="truncated"),
        pytest.param("40 00 1b 01 00000008 0004 01020304", ddp.Packet(2, 4, b"\1\2\3\4", 0, push=False), id="rgbw"),
        pytest.param("40 00 9f 01 00000000 0004 01020304", ddp.Packet(0, 4, b"\1\2\3\4", 0, push=False), id="bits 5-3"),
        pytest.param(
            "40 00 00 01 00000000 0003 010203", ddp.Packet(0, 3, b"\1\2\3", 0, push=False), id="untyped is rgb"
        ),
        pytest.param(
            "51 00 0b 01 00000000 0003 deadbeef 010203", ddp.Packet(0, 3, b"\1\2\3", 0, push=True), id="timecode"
        ),
        pytest.param("41 00 0b 01 00000000 0000", ddp.Packet(0, 3, b"", 0, push=True), id="an empty push"),
        pytest.param("40 00 0b 07 00000000 0004 01020304", ddp.Packet(0, 3, b"\1\2\3", 0, push=False), id="anywhere"),
    ],
)
def test_a_packet_is_read_as_wled_reads_it(packet: str, taken: ddp.Packet) -> None:
    assert ddp.decode(bytes.fromhex(packet)) == taken


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param("41 01 0b 01 00000000 00", id="nine bytes"),
        pytest.param("41 01 0b 01 00000000 0006 ff0000", id="shorter than its length"),
        pytest.param("42 01 0b 01 00000000 0000", id="a query"),
        pytest.param("44 01 0b 01 00000000 0000", id="a reply"),
        pytest.param("41 01 0b f6 00000000 0000", id="destination 246"),
        pytest.param("41 01 0b fa 00000000 0000", id="destination 250"),
        pytest.param("41 01 0b fb 00000000 0000", id="destination 251"),
    ],
)
def test_what_wled_drops_is_refused(packet: str) -> None:
    with pytest.raises(WireError):
        ddp.decode(bytes.fromhex(packet))


@given(st.binary(max_size=64))
def test_any_bytes_are_a_packet_or_a_wire_error(packet: bytes) -> None:
    with contextlib.suppress(WireError):
        ddp.decode(packet)
