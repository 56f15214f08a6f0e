"""The time, as a time server has it, and whether the kernel believes its own."""

import asyncio
import ctypes
import secrets
import socket
import time

from jambridge.doctor import sntp
from jambridge.doctor.judge.clock import Clock
from jambridge.errors import WireError

SERVER = "pool.ntp.org"
ANSWER_S = 3.0
_RESEND_S = 1.0
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


class _Timex(ctypes.Structure):
    """As much of adjtimex(2)'s as matters, and room for the rest: with `modes` 0 it is only read."""

    _fields_ = (("modes", ctypes.c_uint), ("rest", ctypes.c_long * 64))


async def look(host: str = SERVER, port: int = sntp.PORT) -> Clock:
    return Clock(await _offset_s(host, port), host, _is_kept())


async def _offset_s(host: str, port: int) -> float | None:
    loop = asyncio.get_running_loop()
    nonce = secrets.token_bytes(8)
    answered: asyncio.Future[float] = loop.create_future()
    try:
        async with asyncio.timeout(ANSWER_S):
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Question(nonce, answered), remote_addr=(host, port), family=socket.AF_INET
            )
            try:
                while not answered.done():
                    transport.sendto(sntp.request(nonce))
                    await asyncio.wait([answered], timeout=_RESEND_S)
                return answered.result()
            finally:
                transport.close()
    except OSError:  # TimeoutError as well
        return None


class _Question(asyncio.DatagramProtocol):
    def __init__(self, nonce: bytes, answered: "asyncio.Future[float]") -> None:
        self._nonce = nonce
        self._answered = answered
        self._sent_s = time.time()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        try:
            offset_s = sntp.offset_s(data, self._nonce, self._sent_s, time.time())
        except WireError:
            return
        if not self._answered.done():
            self._answered.set_result(offset_s)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)


def _is_kept() -> bool | None:
    """None where the kernel does not say."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(_Timex()))
    except AttributeError:
        return None
    return None if state < 0 else state != _TIME_ERROR
