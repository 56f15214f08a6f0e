"""What firewalls and routers do to real servers is tried in `tests/scenarios/test_doctor.py`."""

import pytest

from jambridge import ice_url
from jambridge.doctor.finding import Finding, Verdict
from jambridge.doctor.judge.connections import Asked, Mapping, connections

STUN = ice_url.parse("stun:stun.example.org:19302")
TURN = ice_url.parse("turn:turn.example.org")
TURNS = ice_url.parse("turns:turn.example.org")
DIRECT = Mapping("192.0.2.1:3478", "198.51.100.7:5000", "198.51.100.7:5000")
BEHIND = Mapping("192.0.2.1:3478", "192.168.1.7:5000", "198.51.100.7:5000")
SAME = Mapping("192.0.2.9:3478", "192.168.1.7:5000", "198.51.100.7:5000")
OTHER = Mapping("192.0.2.9:3478", "192.168.1.7:5000", "198.51.100.7:61234")


def judged(asked: list[Asked], *seen: Mapping, in_use: bool = True, tcp: bool = True) -> dict[str, Finding]:
    return {one.check: one for one in connections(asked, seen, in_use=in_use, tcp_passes=tcp)}


def test_a_server_that_answers_and_one_that_does_not() -> None:
    found = judged([Asked(STUN, None), Asked(TURN, "it refuses the username or the credential")], BEHIND)

    assert found["STUN stun.example.org"].reason == "answers over UDP port 19302"
    assert found["TURN turn.example.org"].verdict is Verdict.FAILURE
    assert "the secret, the clock" in found["TURN turn.example.org"].remedy


@pytest.mark.parametrize(
    ("seen", "verdict", "reason"),
    [
        ((DIRECT,), Verdict.GOOD, "none"),
        ((BEHIND,), Verdict.NOTE, "does not tell of which kind"),
        ((BEHIND, SAME), Verdict.GOOD, "keeps the port"),
        ((BEHIND, OTHER), Verdict.WARNING, "symmetric"),
    ],
)
def test_the_kind_of_nat(seen: tuple[Mapping, ...], verdict: Verdict, reason: str) -> None:
    found = judged([Asked(STUN, None)], *seen)["NAT"]

    assert found.verdict is verdict
    assert reason in found.reason


def test_a_symmetric_nat_with_turn_is_well() -> None:
    assert judged([Asked(STUN, None), Asked(TURN, None)], BEHIND, OTHER)["NAT"].verdict is Verdict.GOOD


@pytest.mark.parametrize(
    ("asked", "tcp", "verdict", "reason"),
    [
        ([Asked(STUN, "no answer")], True, Verdict.FAILURE, "a server answers over TCP, and none over UDP"),
        ([Asked(STUN, "no answer"), Asked(TURNS, None)], True, Verdict.WARNING, "the longer way"),
        ([Asked(STUN, "its name is not known")], False, Verdict.FAILURE, "there is no internet, or UDP is blocked"),
    ],
)
def test_udp_that_is_blocked(asked: list[Asked], tcp: bool, verdict: Verdict, reason: str) -> None:
    found = judged(asked, tcp=tcp)["UDP"]

    assert found.verdict is verdict
    assert reason in found.reason
    assert "let UDP out" in found.remedy


def test_in_a_room_of_ones_own_network_none_of_it_is_wrong() -> None:
    found = judged([Asked(STUN, "no answer")], in_use=False, tcp=False)

    assert {one.verdict for one in found.values()} == {Verdict.NOTE}
    assert judged([], in_use=False)["STUN"].verdict is Verdict.NOTE
    assert judged([])["STUN"].verdict is Verdict.WARNING
