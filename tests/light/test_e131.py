import contextlib
import struct

import numpy as np
import pytest
import sacn.messages.data_packet
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.light import e131


def packet(universe: int, channels: bytes, *, options: int = 0, start_code: int = 0) -> bytes:
    """ANSI E1.31-2018, table 4-1."""
    count = len(channels) + 1
    root = b"\x00\x10\x00\x00ASC-E1.17\x00\x00\x00" + struct.pack("!HI", 0x7000 | (109 + count), 4) + bytes(16)
    frame = struct.pack("!HI64sBHBBH", 0x7000 | (87 + count), 2, b"a console", 100, 0, 7, options, universe)
    dmp = struct.pack("!HBBHHHB", 0x7000 | (10 + count), 2, 0xA1, 0, 1, count, start_code)
    return root + frame + dmp + channels


def test_a_universe_is_read() -> None:
    assert e131.decode(packet(3, b"\x01\x02\x03")) == e131.Packet(3, 7, b"\x01\x02\x03")
    assert len(packet(1, bytes(512))) == 638


def test_stream_terminated_is_data_like_any_other() -> None:
    assert e131.decode(packet(1, b"\x09", options=0x40)).data == b"\x09"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(packet(1, b"\x01", options=0x80), id="preview"),
        pytest.param(packet(1, b"\x01", start_code=0xDD), id="another start code"),
        pytest.param(packet(1, bytes(100))[:-1], id="cut short"),
        pytest.param(packet(1, b"")[:125], id="no header"),
        pytest.param(b"\x00\x10\x00\x00DDP" + packet(1, b"\x01")[7:], id="no ACN"),
    ],
)
def test_what_wled_drops_is_refused(bad: bytes) -> None:
    with pytest.raises(WireError):
        e131.decode(bad)


@given(st.binary(max_size=200), st.integers(0, 140))
def test_any_bytes_are_a_packet_or_a_wire_error(noise: bytes, start: int) -> None:
    with contextlib.suppress(WireError):
        e131.decode(packet(1, bytes(10))[:start] + noise)


SENDER = e131.Sender(bytes(range(16)), "a console", 100)


def test_a_pixel_is_a_packet_of_the_standards_table() -> None:
    (sent,) = e131.Encoder(e131.Sender(bytes(16), "a console"), 3, 1, 3).encode(np.array([[1, 2, 3]], np.uint8), 7)

    assert sent == packet(3, b"\x01\x02\x03")


def test_the_end_of_a_stream_repeats_the_last_frame() -> None:
    (last,) = e131.Encoder(e131.Sender(bytes(16), "a console"), 3, 1, 3).encode(
        np.array([[1, 2, 3]], np.uint8), 7, terminated=True
    )

    assert last == packet(3, b"\x01\x02\x03", options=0x40)


@given(
    pixels=st.integers(1, 1500), channels=st.sampled_from([3, 4]), first=st.integers(1, 60_000), index=st.integers(0)
)
def test_universes_hold_whole_pixels_in_order(pixels: int, channels: int, first: int, index: int) -> None:
    frame = np.arange(pixels * channels, dtype=np.uint32).astype(np.uint8).reshape(pixels, channels)

    sent = list(map(e131.decode, e131.Encoder(SENDER, first, pixels, channels).encode(frame, index)))

    assert b"".join(one.data for one in sent) == frame.tobytes()
    assert [one.universe for one in sent] == list(e131.universes(pixels, channels, first))
    assert {len(one.data) for one in sent[:-1]} <= {510 if channels == 3 else 512}
    assert {one.sequence for one in sent} == {index % 256}


def test_pixels_beyond_the_last_universe_are_not_sent() -> None:
    encoder = e131.Encoder(SENDER, 63_999, 400, 3)

    assert [e131.decode(one).universe for one in encoder.encode(np.zeros((400, 3), np.uint8), 0)] == [63_999]


def test_each_universe_has_its_group() -> None:
    assert e131.group(1) == "239.255.0.1" and e131.group(0x1234) == "239.255.18.52"


@pytest.mark.parametrize(
    ("name", "read_name"),
    [("Stage", "Stage"), ("", ""), ("ü" * 40, "ü" * 31), ("\N{GRINNING FACE}" * 20, "\N{GRINNING FACE}" * 15)],
)
def test_another_library_reads_what_is_sent(name: str, read_name: str) -> None:
    """The `sacn` package, an independent implementation of the standard."""
    frame = np.arange(510, dtype=np.uint16).astype(np.uint8).reshape(170, 3)
    sender = e131.Sender(bytes(range(16)), name, 150)

    (sent,) = e131.Encoder(sender, 260, 170, 3).encode(frame, 300, terminated=True)
    read = sacn.messages.data_packet.DataPacket.make_data_packet(list(sent))

    assert (read.universe, read.priority, read.sequence) == (260, 150, 44)
    assert (read.option_StreamTerminated, read.option_PreviewData) == (True, False)
    assert bytes(read.dmxData)[:510] == frame.tobytes()
    assert bytes(read.cid) == sender.cid
    assert read.sourceName == read_name
