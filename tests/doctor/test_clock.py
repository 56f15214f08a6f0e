"""The clock against a real time server, which is right, a day off, or no server at all."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.doctor import sntp
from jambridge.doctor.finding import Verdict
from jambridge.doctor.judge.clock import Clock, clock
from jambridge.doctor.probe import clock as probe
from jambridge.errors import WireError

DAY_S = 86_400
NONCE = bytes(range(1, 9))


class TimeServer(asyncio.DatagramProtocol):
    """RFC 4330: an unauthenticated server, whose clock is ahead by `ahead_s`."""

    def __init__(self, ahead_s: float, first: int) -> None:
        self._ahead_s = ahead_s
        self._first = first
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        self._transport.sendto(answer(data[40:48], time.time() + self._ahead_s, first=self._first), addr)


def answer(originate: bytes, now_s: float, *, first: int = 0x24, stratum: int = 2) -> bytes:
    stamp = struct.pack("!2I", int(now_s + 2_208_988_800) & 0xFFFFFFFF, int(now_s % 1 * 2**32))
    return bytes([first, stratum, 6, 0xEC]) + bytes(20) + originate + stamp + stamp


@asynccontextmanager
async def time_server(ahead_s: float, *, first: int = 0x24) -> AsyncIterator[int]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: TimeServer(ahead_s, first), local_addr=("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def seen(ahead_s: float, *, first: int = 0x24) -> Clock:
    async def scenario() -> Clock:
        async with time_server(ahead_s, first=first) as port, asyncio.timeout(30):
            return await probe.look("127.0.0.1", port)

    return asyncio.run(scenario())


def test_a_clock_that_is_right() -> None:
    facts = seen(0)

    assert facts.offset_s is not None
    assert abs(facts.offset_s) < 5
    assert clock(facts).verdict is not Verdict.FAILURE


@pytest.mark.parametrize(("ahead_s", "said"), [(-DAY_S, "24 hours ahead of"), (DAY_S, "24 hours behind")])
def test_a_clock_that_is_a_day_off(ahead_s: float, said: str) -> None:
    found = clock(seen(ahead_s))

    assert found.verdict is Verdict.FAILURE
    assert found.reason == f"this clock is {said} 127.0.0.1"
    assert "timedatectl set-ntp true" in found.remedy


def test_a_server_whose_own_clock_is_not_right_is_not_believed() -> None:
    assert seen(DAY_S, first=0xE4).offset_s is None


def test_without_a_server_the_kernel_is_asked() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    facts = asyncio.run(probe.look("127.0.0.1", port))

    assert facts.offset_s is None
    assert facts.kept is not None, "Linux says"


@pytest.mark.parametrize(
    ("offset_s", "kept", "verdict", "reason"),
    [
        (0.02, True, Verdict.GOOD, "right within 0.1 s, says ntp"),
        (-0.4, False, Verdict.WARNING, "right within 0.4 s, but nothing keeps it so"),
        (-31, True, Verdict.WARNING, "this clock is 31 s behind ntp"),
        (600, True, Verdict.FAILURE, "this clock is 10 minutes ahead of ntp"),
        (None, True, Verdict.GOOD, "the system keeps it right (ntp did not answer)"),
        (None, False, Verdict.WARNING, "nothing keeps this clock right, and ntp did not answer"),
        (None, None, Verdict.WARNING, "nothing keeps this clock right, and ntp did not answer"),
    ],
)
def test_the_clock_is_judged(offset_s: float | None, kept: bool | None, verdict: Verdict, reason: str) -> None:
    found = clock(Clock(offset_s, "ntp", kept))

    assert (found.verdict, found.reason) == (verdict, reason)
    assert bool(found.remedy) == (verdict is not Verdict.GOOD)


def test_a_question_is_an_ntp_packet_of_a_client() -> None:
    assert sntp.request(NONCE) == bytes.fromhex("23" + "00" * 39 + "0102030405060708")


def test_the_offset_is_that_of_the_middle() -> None:
    """Sent at 100, there at 160 by its clock, back at 102: it is 59 s ahead, and we are behind."""
    assert sntp.offset_s(answer(NONCE, 160.0), NONCE, 100.0, 102.0) == pytest.approx(-59.0)


def test_after_2036_seconds_begin_anew() -> None:
    late_s = 2_085_978_496 + 1000.0
    assert sntp.offset_s(answer(NONCE, late_s), NONCE, late_s, late_s) == pytest.approx(0.0)


@given(st.binary(max_size=100))
def test_any_bytes_are_an_offset_or_refused(packet: bytes) -> None:
    try:
        sntp.offset_s(packet, NONCE, 0.0, 0.0)
    except WireError:
        return
    assert packet[24:32] == NONCE


@pytest.mark.parametrize(
    "wrong",
    [
        answer(bytes(8), 100.0),
        answer(NONCE, 100.0, first=0x23),
        answer(NONCE, 100.0, stratum=0),
        answer(NONCE, 100.0, stratum=16),
        answer(NONCE, 100.0)[:47],
    ],
    ids=["another's", "a client's", "kiss of death", "unsynchronised", "short"],
)
def test_what_is_no_answer_to_us_is_refused(wrong: bytes) -> None:
    with pytest.raises(WireError):
        sntp.offset_s(wrong, NONCE, 0.0, 0.0)
