import contextlib
import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.peers import candidates
from jambridge.peers.candidates import Candidate, refusal

CHROMIUM = "candidate:1250745009 1 udp 2122194687 192.0.2.2 45001 typ host generation 0 ufrag wySV network-id 1"
FIREFOX_MDNS = "candidate:0 1 UDP 2122252543 3e0b9f5c-9b8c-4c3b-a6e2-d2a4b3f0c111.local 53421 typ host"
REFLEXIVE = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.17 rport 46154 generation 0"


def test_candidates_of_browsers() -> None:
    assert candidates.parse(CHROMIUM) == Candidate("1250745009", 2122194687, "192.0.2.2", 45001, "host")
    assert candidates.parse(f"a={REFLEXIVE}") == Candidate("842163049", 1677729535, "203.0.113.7", 46154, "srflx")
    name = candidates.parse(FIREFOX_MDNS)
    assert name is not None
    assert name.is_name


@pytest.mark.parametrize(
    "line",
    [
        "candidate:876820521 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active generation 0",
        "candidate:1 2 udp 2122194687 192.0.2.2 45001 typ host",
        "candidate:1 1 udp 2122194687 192.0.2.2 45001 typ prflx",
    ],
    ids=["tcp", "rtcp", "peer-reflexive"],
)
def test_candidates_of_no_use_are_none(line: str) -> None:
    assert candidates.parse(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "candidate:1 1 udp",
        "candidate:1 1 udp 1 example.org 9 typ host",
        "candidate:1 1 udp 1 192.0.2.2 65536 typ host",
        "candidate:1 1 udp 1 192.0.2.2 0 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.2 9 typ host",
        "candidate:1 1 udp 1 192.0.2.2 9 typ host " + "x" * 600,
    ],
)
def test_a_malformed_candidate_is_a_wire_error(line: str) -> None:
    with pytest.raises(WireError):
        candidates.parse(line)


def test_the_end_of_candidates_and_those_of_a_bundled_section_are_none() -> None:
    assert candidates.parse_init({"candidate": "", "sdpMid": "0"}) is None
    assert candidates.parse_init({"candidate": None}) is None
    assert candidates.parse_init({"candidate": CHROMIUM, "sdpMid": "1", "sdpMLineIndex": 1}) is None
    assert candidates.parse_init({"candidate": CHROMIUM, "sdpMid": "0", "sdpMLineIndex": 0}) is not None


@given(line=st.text() | st.from_regex(candidates._LINE, fullmatch=True))
def test_any_text_is_a_candidate_or_none_or_a_wire_error(line: str) -> None:
    with contextlib.suppress(WireError):
        candidate = candidates.parse(line)
        if candidate is not None:
            refusal(candidate, (), allow_loopback=False)


@given(
    init=st.dictionaries(st.sampled_from(["candidate", "sdpMLineIndex"]), st.none() | st.text() | st.lists(st.none()))
)
def test_any_init_is_a_candidate_or_none_or_a_wire_error(init: dict[str, Any]) -> None:
    with contextlib.suppress(WireError):
        candidates.parse_init(init)


@pytest.mark.parametrize(
    ("host", "dialled"),
    [
        ("192.0.2.2", True),
        ("10.1.2.3", True),
        ("203.0.113.7", True),
        ("fd00::2", True),
        ("fe80::1", True),
        ("3e0b9f5c.local", False),
        ("127.0.0.1", False),
        ("127.1.2.3", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("224.0.0.251", False),
        ("ff02::fb", False),
        ("255.255.255.255", False),
        ("169.254.1.1", False),
        ("::ffff:169.254.1.1", False),
        ("240.0.0.1", False),
    ],
)
def test_only_a_peers_own_address_is_dialled(host: str, dialled: bool) -> None:
    assert (refusal(Candidate("1", 1, host, 9, "host"), (), allow_loopback=False) is None) is dialled


@pytest.mark.parametrize(
    ("host", "dialled"),
    [("192.168.1.1", False), ("::ffff:192.168.1.1", False), ("192.168.1.255", False), ("192.168.1.2", True)],
)
def test_gateways_and_broadcasts_around_are_not_dialled(host: str, dialled: bool) -> None:
    nobodys = {ipaddress.ip_address("192.168.1.1"), ipaddress.ip_address("192.168.1.255")}

    assert (refusal(Candidate("1", 1, host, 9, "host"), nobodys, allow_loopback=True) is None) is dialled


def test_loopback_is_dialled_where_both_ends_are_one_machine() -> None:
    assert refusal(Candidate("1", 1, "127.0.0.1", 9, "host"), (), allow_loopback=True) is None
    assert refusal(Candidate("1", 1, "::1", 9, "host"), (), allow_loopback=True) is None
    assert refusal(Candidate("1", 1, "224.0.0.1", 9, "host"), (), allow_loopback=True) is not None
