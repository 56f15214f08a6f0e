"""URLs of STUN and TURN servers. Pure.

Source: RFC 7064 section 3.1 and RFC 7065 section 3.1, as far as aiortc 1.16.0 goes: no STUN over TLS, no TURN over
DTLS, no IPv6 address in brackets. It would pass over those without a word.
"""

import re
from dataclasses import dataclass

_PORT, _TLS_PORT = 3478, 5349
_URL = re.compile(
    r"(?P<scheme>stun|turns?):(?P<host>[A-Za-z0-9._-]{1,253})(?::(?P<port>\d{1,5}))?(?:\?transport=(?P<transport>\w+))?",
    re.ASCII,
)
_WRONG = (
    (r"(stuns?|turns?)://.*", "write it without //, as turn:turn.example.org:3478"),
    (r"stuns:.*", "STUN over TLS is not supported: use stun:"),
    (r"(stun|turns?):[^?]*@.*", "username and credential stand beside the URL, not in it"),
    (r"(stun|turns?):\[.*", "an IPv6 address is not supported here: use a name or an IPv4 address"),
    (r"(?!(stun|turns?):).*", "must begin with stun:, turn: or turns:"),
)


@dataclass(frozen=True, slots=True)
class IceUrl:
    text: str
    host: str
    port: int
    is_turn: bool
    is_tls: bool
    transport: str
    """udp or tcp."""

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> IceUrl:
    """What a URL says.

    Raises:
        ValueError: it makes no sense, or names what is not supported; in a sentence.
    """
    for pattern, why in _WRONG:
        if re.fullmatch(pattern, text, re.DOTALL):
            raise ValueError(why)
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError("is no URL of a STUN or TURN server, as turn:turn.example.org:3478?transport=udp")
    is_tls = match["scheme"] == "turns"
    port = int(match["port"] or (_TLS_PORT if is_tls else _PORT))
    if not 0 < port < 1 << 16:
        raise ValueError(f"there is no port {port}")
    is_turn = match["scheme"] != "stun"
    return IceUrl(text, match["host"], port, is_turn, is_tls, _transport(match["scheme"], match["transport"]))


def _transport(scheme: str, given: str | None) -> str:
    usable = {"stun": ("udp",), "turn": ("udp", "tcp"), "turns": ("tcp",)}[scheme]
    if given is not None and (scheme == "stun" or given not in usable):
        allowed = "has none" if scheme == "stun" else f"is {' or '.join(usable)}"
        raise ValueError(f"?transport={given}: the transport of {scheme}: {allowed}")
    return given or usable[0]
