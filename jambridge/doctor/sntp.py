"""One question to a time server. Pure.

Source: RFC 4330 section 5 (SNTP client operations), and RFC 5905 section 6 for the signs.
"""

import struct

from jambridge.errors import WireError

PORT = 123
BYTES = 48
_HEADER = struct.Struct("!BBbb11I")
_CLIENT, _SERVER = 3, 4
_VERSION = 4
_ALARM = 3  # leap indicator: its clock is not synchronised itself
_MOST_STRATUM = 15
_ERA_S = 1 << 32
_SINCE_1900_S = 2_208_988_800  # of 1970


def request(nonce: bytes) -> bytes:
    """A question of 48 bytes; `nonce`, 8 bytes, stands where our time would: the answer repeats it."""
    return bytes([_VERSION << 3 | _CLIENT]) + bytes(39) + nonce


def offset_s(answer: bytes, nonce: bytes, sent_s: float, received_s: float) -> float:
    """Our clock minus the server's, from our times in seconds since 1970; right within half of the way there and back.

    Raises:
        WireError: it is no answer to this question, or that clock is not right itself.
    """
    if len(answer) < BYTES:
        raise WireError(f"{len(answer)} bytes are no NTP packet")
    flags, stratum, _, _, *words = _HEADER.unpack_from(answer)
    if flags & 7 != _SERVER or answer[24:32] != nonce:
        raise WireError("no answer to our question")
    if flags >> 6 == _ALARM or not 0 < stratum <= _MOST_STRATUM:
        raise WireError("that clock is not synchronised itself")
    received_there, sent_there = _seconds(*words[7:9]), _seconds(*words[9:11])
    return ((sent_s - received_there) + (received_s - sent_there)) / 2


def _seconds(whole: int, fraction: int) -> float:
    """Since 1970; a value without its highest bit is after 2036, RFC 4330 section 3."""
    era = 0 if whole >> 31 else _ERA_S
    return whole + era - _SINCE_1900_S + fraction / _ERA_S
