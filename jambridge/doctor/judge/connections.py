"""STUN and TURN, UDP and the kind of NAT: whether musicians of other networks find a way. Pure.

Source: RFC 4787 section 4.1 (mapping behaviour); ICE needs TURN where both ends map every destination to another port.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jambridge.doctor.finding import Finding, Verdict, failure, good, note, quoted, warning
from jambridge.ice_url import IceUrl

STUN, TURN, NAT, UDP = "STUN", "TURN", "NAT", "UDP"
_LET_UDP_OUT = (
    "let UDP out through the firewall of this machine and of the router (to ports 3478 and 19302, and from 1024 up for "
    "the sound); else configure a TURN server over TCP or TLS (turn:…?transport=tcp, turns:…)"
)
_MEND_TURN = "see Across networks in the README: the secret, the clock, and the server's ports 3478 and 5349"
_ADD_TURN = "add a TURN server under webrtc.ice_servers: see Across networks in the README"
_ADD_STUN = "to tell which, name a second STUN server under webrtc.ice_servers"


@dataclass(frozen=True, slots=True)
class Asked:
    """A configured server, and what keeps it from being used."""

    url: IceUrl
    problem: str | None


@dataclass(frozen=True, slots=True)
class Mapping:
    """As whom `server` saw the one socket that everybody was asked from; all as ADDRESS:PORT."""

    server: str
    own: str
    seen_as: str


def connections(
    asked: Sequence[Asked], mappings: Sequence[Mapping], *, in_use: bool, tcp_passes: bool
) -> list[Finding]:
    """`in_use`: rooms in the own network take no servers; `tcp_passes`: one could be connected to over TCP."""
    if not asked:
        bad = warning if in_use else note
        return [bad(STUN, "no server is configured: only one's own network can be reached", "webrtc.ice_servers")]
    turn_works = any(one.url.is_turn and one.problem is None for one in asked)
    found = [_server(one) for one in asked]
    over_udp = [one for one in asked if one.url.transport == "udp"]
    if over_udp and all(one.problem for one in over_udp) and not mappings:
        found.append(_no_udp(tcp_passes, turn_works=turn_works))
    elif mappings:
        found.append(_nat(mappings, turn_works=turn_works))
    return found if in_use else [_of_no_use(one) for one in found]


def _server(one: Asked) -> Finding:
    name = f"{TURN if one.url.is_turn else STUN} {one.url.host}"
    how = f"{'TLS' if one.url.is_tls else one.url.transport.upper()} port {one.url.port}"
    if one.problem is None:
        return good(name, f"answers over {how}")
    if one.url.is_turn:
        return failure(name, f"{quoted(one.problem)} ({how})", _MEND_TURN)
    return warning(name, f"{quoted(one.problem)} ({how})", "is it the right name, and is there internet?")


def _no_udp(tcp_passes: bool, *, turn_works: bool) -> Finding:
    if turn_works:
        return warning(UDP, "blocked: sound takes the longer way over TURN and TCP", _LET_UDP_OUT)
    if tcp_passes:
        return failure(UDP, "blocked: a server answers over TCP, and none over UDP", _LET_UDP_OUT)
    reason = "no server answers, neither over UDP nor over TCP: there is no internet, or UDP is blocked"
    return failure(UDP, reason, f"is there internet? Then {_LET_UDP_OUT}")


def _nat(mappings: Sequence[Mapping], *, turn_works: bool) -> Finding:
    seen = {one.seen_as for one in mappings}
    if all(one.own == one.seen_as for one in mappings):
        return good(NAT, "none: others can reach this machine directly")
    if len(seen) > 1:
        reason = "symmetric: the router gives every destination another port, so that many others find no direct way"
        return good(NAT, f"{reason}, but there is TURN") if turn_works else warning(NAT, reason, _ADD_TURN)
    if len({one.server for one in mappings}) == 1:
        return note(NAT, "behind a router; one server alone does not tell of which kind it is", _ADD_STUN)
    return good(NAT, "behind a router that keeps the port: direct connections are found")


def _of_no_use(finding: Finding) -> Finding:
    """What is wrong with servers that the room does not take is worth no more than a word."""
    if finding.verdict is Verdict.GOOD:
        return finding
    return note(finding.check, f"{finding.reason}; not needed in a room of this network")
