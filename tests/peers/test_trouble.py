"""Each text comes with its cause, and goes with it."""

from dataclasses import replace

import pytest

from jambridge.errors import Text
from jambridge.peers.status import PeerState, PeerStatus
from jambridge.peers.trouble import TEXTS, Trouble
from jambridge.units import LocalSeconds, PeerId

GOOD = PeerStatus(
    PeerId("a"), "Ada", PeerState.CONNECTED, "completed", "host", 0.0, -20.0, 0.0, 1000, network_ms=3.0, jitter_ms=1.0
)
LOST = replace(GOOD, state=PeerState.RECONNECTING, path=None)


class Watched:
    """Trouble, looked at twice a second."""

    def __init__(self, *, relay_only: bool = False) -> None:
        self._trouble = Trouble(relay_only)
        self._now = 0.0

    def after(self, seconds: float, *peers: PeerStatus, **errors: str) -> dict[Text, str]:
        found: dict[Text, str] = {}
        for _ in range(round(seconds * 2) + 1):
            found = self._trouble.look(peers, errors, LocalSeconds(self._now))
            self._now += 0.5
        return found


def test_nothing_is_told_of_a_good_connection_or_of_nobody() -> None:
    assert Watched().after(10) == {}
    assert Watched().after(10, GOOD) == {}


def test_attempts_that_fail_are_told_until_one_succeeds() -> None:
    watched = Watched()
    first = replace(LOST, failures=1)
    assert watched.after(0, first) == {}, "the next may be under way already"
    assert watched.after(1, first) == {Text.DIRECT_RETRYING: "Ada: no connection after 1 attempt"}
    assert watched.after(0, replace(LOST, failures=2)) == {Text.DIRECT_RETRYING: "Ada: no connection after 2 attempts"}
    assert watched.after(0, GOOD) == {}


def test_an_address_that_is_not_dialled_is_named_with_its_reason() -> None:
    failed = replace(LOST, failures=1, undialled={f"192.168.1.{end}": "a gateway" for end in range(1, 6)})
    (cause,) = Watched().after(1, failed).values()
    assert cause.startswith("Ada: no connection after 1 attempt, not dialled: 192.168.1.1 (a gateway), not dialled: ")
    assert cause.count("192.168") == 3
    assert Watched().after(1, replace(failed, state=PeerState.CONNECTED)) == {}


def test_a_connection_that_fell_silent_is_told_when_a_second_one_is_tried() -> None:
    assert Watched().after(3, replace(LOST, silent_s=3.0)) == {}
    assert Watched().after(3, replace(LOST, silent_s=7.0)) == {Text.DIRECT_RETRYING: "Ada: nothing heard for 7 s"}


def test_after_three_attempts_connectivity_is_limited_and_the_server_that_fails_is_named() -> None:
    failed = replace(LOST, failures=3)
    found = Watched().after(3, failed, **{"turns:t": "its certificate is not trusted: self-signed certificate"})
    cause = "Ada: no connection after 3 attempts; turns:t: its certificate is not trusted: self-signed certificate"
    assert found == {Text.DIRECT_RETRYING: cause, Text.LIMITED: cause}


def test_a_server_that_fails_is_nobodys_trouble_while_everyone_is_connected() -> None:
    assert Watched().after(10, GOOD, **{"stun:s": "no answer"}) == {}


def test_a_relay_is_told_while_it_is_used_unless_it_was_wanted() -> None:
    relayed = replace(GOOD, path="relay")
    watched = Watched()
    assert watched.after(0, relayed) == {Text.DIRECT_RELAY: "Ada: connected through a TURN server"}
    assert watched.after(0, GOOD) == {}
    assert Watched(relay_only=True).after(10, relayed) == {}
    assert Watched().after(10, replace(relayed, wants_relay=True)) == {}, "the other's policy, and nothing failed"


@pytest.mark.parametrize(
    ("bad", "better", "good", "cause"),
    [
        ({"loss": 0.08}, {"loss": 0.03}, {"loss": 0.01}, "8 % of packets lost"),
        ({"jitter_ms": 40.0}, {"jitter_ms": 25.0}, {"jitter_ms": 15.0}, "packets come 40 ms early or late"),
    ],
)
def test_bad_reception_is_told_after_a_while_and_until_it_is_good_again(
    bad: dict[str, float], better: dict[str, float], good: dict[str, float], cause: str
) -> None:
    watched = Watched()
    assert watched.after(2, replace(GOOD, **better)) == {}, "not bad enough to be told"  # type: ignore[arg-type]
    assert watched.after(2, replace(GOOD, **bad)) == {}, "not yet"  # type: ignore[arg-type]
    assert watched.after(2, replace(GOOD, **bad)) == {Text.LIMITED: f"Ada: {cause}"}  # type: ignore[arg-type]
    assert Text.LIMITED in watched.after(2, replace(GOOD, **better)), "it does not flicker"  # type: ignore[arg-type]
    assert watched.after(0, replace(GOOD, **good)) == {}  # type: ignore[arg-type]


def test_more_than_100_ms_are_told_with_their_parts_of_whom_they_concern() -> None:
    watched = Watched()
    late = replace(GOOD, network_ms=92.0, jitter_ms=12.0, playout_ms=20.0)
    assert late.latency_ms == 112.0
    other = replace(GOOD, id=PeerId("b"), name="Bo")
    cause = "Ada: 112 ms (network 92, waiting for late packets 20)"
    assert watched.after(3, late, other) == {Text.HIGH_LATENCY: cause}
    assert Text.HIGH_LATENCY in watched.after(3, replace(late, network_ms=75.0), other), "95 ms"
    assert watched.after(0, replace(late, network_ms=62.0), other) == {}
    assert watched.after(3, replace(late, network_ms=79.0), other) == {}, "99 ms"


def test_two_who_have_the_same_trouble_are_both_named_and_one_who_left_no_longer() -> None:
    ada = replace(GOOD, path="relay")
    bo = replace(ada, id=PeerId("b"), name="Bo")
    watched = Watched()
    said = watched.after(0, ada, bo)[Text.DIRECT_RELAY]
    assert said == "Ada: connected through a TURN server; Bo: connected through a TURN server"
    assert watched.after(0, bo) == {Text.DIRECT_RELAY: "Bo: connected through a TURN server"}
    assert watched.after(0) == {}


def test_every_text_is_one_of_the_contracts_and_latency_ours() -> None:
    assert [(text.name.lower(), text.value) for text in TEXTS] == [
        ("direct_retrying", "Direct audio connection failed, retrying..."),
        ("direct_relay", "Direct audio connection failed, using relay mode"),
        ("limited", "Limited connectivity, audio may be delayed"),
        ("high_latency", "Latency over 100 ms"),
    ]
