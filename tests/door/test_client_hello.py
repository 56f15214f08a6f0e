"""Where the first message of a TLS connection ends."""

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.door import client_hello
from jambridge.errors import WireError


@pytest.mark.parametrize(
    ("seen", "size"),
    [
        (b"", 5),
        (b"G", 5),
        (bytes.fromhex("16 03 01 00"), 5),
        (bytes.fromhex("16 03 01 00 c8"), 205),
        (bytes.fromhex("16 03 03 40 00 01 00"), 16_389),
    ],
    ids=repr,
)
def test_the_head_says_how_much_follows(seen: bytes, size: int) -> None:
    assert client_hello.size(seen) == size <= client_hello.MOST_BYTES


@pytest.mark.parametrize(
    "seen",
    [
        b"GET / HTTP/1.1\r\n",
        bytes.fromhex("17 03 03 00 20"),  # application data
        bytes.fromhex("16 02 00 00 20"),
        bytes.fromhex("16 03 01 00 00"),
        bytes.fromhex("16 03 01 40 01"),
    ],
    ids=repr,
)
def test_what_is_no_handshake_is_refused(seen: bytes) -> None:
    with pytest.raises(WireError, match="no TLS"):
        client_hello.size(seen)


def test_what_openssl_sends_first_is_one_record() -> None:
    sent = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="box.local")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = sent.read()

    assert client_hello.size(hello) == client_hello.size(hello[:5]) == len(hello)


@given(st.binary(max_size=64))
def test_any_bytes_have_a_size_or_are_refused(seen: bytes) -> None:
    with contextlib.suppress(WireError):
        assert 5 <= client_hello.size(seen) <= client_hello.MOST_BYTES
