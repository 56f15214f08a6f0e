import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.light import e131


def packet(universe: int, channels: bytes, *, options: int = 0, start_code: int = 0) -> bytes:
    """ANSI E1.31-2018, table 4-1."""
    count = len(channels) + 1
    root = b"\x00\x10\x00\x00ASC-E1.17\x00\x00\x00" + struct.pack("!HI", 0x7000 | (110 + count), 4) + bytes(16)
    frame = struct.pack("!HI64sBHBBH", 0x7000 | (88 + count), 2, b"a console", 100, 0, 7, options, universe)
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
