"""Asks a STUN or TURN server whether it can be used, and says why not: aioice leaves such errors out.

Source: RFC 8489 section 6.3 (a Binding request without credentials), RFC 8656 section 7 (an Allocate request).
"""

import asyncio
import os
import socket
import ssl
import struct
from typing import Final

from aioice import stun, turn

from jambridge.ice_url import IceUrl

ANSWER_S = 2.0
_RESEND_S = 0.5  # RFC 8489 section 6.2.1
_UNAUTHORIZED, _QUOTA, _CAPACITY = 401, 486, 508
_REFUSALS: Final = {
    _UNAUTHORIZED: "it refuses the username or the credential (or one of the clocks is wrong)",
    _QUOTA: "it has no relay left for this user",
    _CAPACITY: "it has no relay left",
}


async def ask(url: IceUrl, username: str, credential: str) -> str | None:
    """What keeps this server from being used, in words; None if nothing does. Takes two seconds at most."""
    try:
        async with asyncio.timeout(ANSWER_S):
            await (_allocate(url, username, credential) if url.is_turn else _bind(url))
    except (TimeoutError, stun.TransactionTimeout):
        return "no answer"
    except stun.TransactionFailed as exc:
        code, reason = exc.response.attributes.get("ERROR-CODE", (0, "no reason given"))
        return _REFUSALS.get(code, f"it refuses: {reason} ({code})")
    except ssl.SSLCertVerificationError as exc:
        return f"its certificate is not trusted: {exc.verify_message}"
    except ssl.SSLError as exc:
        return f"it does not speak TLS here: {exc.reason}"
    except socket.gaierror:
        return "its name is not known"
    except OSError as exc:
        return os.strerror(exc.errno) if exc.errno else str(exc)
    except ValueError as exc:  # aioice, of an answer that makes no sense
        return f"its answer makes no sense: {exc}"
    return None


async def _allocate(url: IceUrl, username: str, credential: str) -> None:
    """Have a relay, and give it back."""
    transport, _ = await turn.create_turn_endpoint(
        asyncio.DatagramProtocol,
        server_addr=(url.host, url.port),
        username=username,
        password=credential,
        ssl=url.is_tls,
        transport=url.transport,
    )
    transport.close()


async def _bind(url: IceUrl) -> None:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[None] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Binding(answered), remote_addr=(url.host, url.port), family=socket.AF_INET
    )
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    try:
        while not answered.done():
            transport.sendto(bytes(request))
            await asyncio.wait([answered], timeout=_RESEND_S)
        answered.result()
    finally:
        transport.close()


class _Binding(asyncio.DatagramProtocol):
    """The socket is connected: what comes is the server's, or nobody's."""

    def __init__(self, answered: "asyncio.Future[None]") -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, _addr: object) -> None:
        try:
            stun.parse_message(data)
        except (ValueError, struct.error):
            return
        if not self._answered.done():
            self._answered.set_result(None)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)
