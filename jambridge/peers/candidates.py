"""ICE candidates from outside, and which of them may be dialled. Pure.

Source: RFC 8839 section 5.1 (the candidate attribute). A candidate is an order to send packets to an address of the
sender's choosing: what is not plainly a peer's own UDP address is refused.
"""

import ipaddress
import re
from collections.abc import Container
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from jambridge.errors import WireError

Address = IPv4Address | IPv6Address

MAX_CANDIDATES = 16
"""A peer, with those in its SDP."""

_LINE = re.compile(
    r"(?:a=)?candidate:(?P<foundation>[A-Za-z0-9+/]{1,32}) (?P<component>\d{1,3}) (?P<transport>[A-Za-z-]{1,12})"
    r" (?P<priority>\d{1,10}) (?P<host>[A-Za-z0-9.:%-]{1,255}) (?P<port>\d{1,5}) typ (?P<type>[a-z]{1,8})(?: .*)?",
    re.ASCII,
)
_LOCAL_NAME = re.compile(r"[A-Za-z0-9-]{1,63}\.local", re.ASCII)
_TYPES = ("host", "srflx", "relay")  # peer-reflexive ones are discovered, never announced
_MAX_LINE = 512


@dataclass(frozen=True, slots=True)
class Candidate:
    """A UDP address where a peer may be reached; `host` is an IP address or a name in `.local`."""

    foundation: str
    priority: int
    host: str
    port: int
    type: str

    @property
    def is_name(self) -> bool:
        return _LOCAL_NAME.fullmatch(self.host) is not None


def parse(line: str) -> Candidate | None:
    """A candidate attribute, with or without `a=`; None for one of no use here (TCP, RTCP, unknown type).

    Raises:
        WireError: `line` is no candidate.
    """
    match = _LINE.fullmatch(line) if len(line) <= _MAX_LINE else None
    if match is None:
        raise WireError("not a candidate")
    priority, port = int(match["priority"]), int(match["port"])
    if not (0 < priority < 1 << 31 and 0 < port < 1 << 16):
        raise WireError("a candidate's priority or port is out of range")
    if match["component"] != "1" or match["transport"].lower() != "udp" or match["type"] not in _TYPES:
        return None
    return Candidate(match["foundation"], priority, _host(match["host"]), port, match["type"])


def parse_init(init: dict[str, Any]) -> Candidate | None:
    """A browser's RTCIceCandidateInit; None for the end of candidates or one of no use here.

    Raises:
        WireError: this is no candidate.
    """
    line = init.get("candidate")
    if line is None or line == "" or init.get("sdpMLineIndex") not in (None, 0):
        return None  # everything is bundled with the first section
    if not isinstance(line, str):
        raise WireError("a candidate is a text")
    return parse(line)


def refusal(candidate: Candidate, nobodys: Container[Address], *, allow_loopback: bool) -> str | None:
    """Why no packet may be sent there, None if it may. A name may not, until it has become an address: anyone may
    answer it.

    `nobodys` are addresses of the networks around that no peer has: gateways and broadcasts.
    """
    if candidate.is_name:
        return "no machine here has that name"
    address = ipaddress.ip_address(candidate.host)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address in nobodys:
        return "a gateway or broadcast address of this network"
    if address.is_loopback:
        return None if allow_loopback else "this machine itself"
    if address.is_unspecified or address.is_multicast or address.is_reserved:  # reserved holds 255.255.255.255
        return "no single machine's address"
    if isinstance(address, ipaddress.IPv4Address) and address.is_link_local:
        return "an address of a machine that got none from its network"
    return None


def _host(text: str) -> str:
    if _LOCAL_NAME.fullmatch(text):
        return text
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as exc:
        raise WireError("a candidate's host is neither an address nor a name in .local") from exc
