"""What a firewall does to mDNS is tried in `tests/scenarios/test_doctor.py`."""

import pytest
import zeroconf
from hypothesis import given
from hypothesis import strategies as st

from jambridge.doctor.finding import Verdict
from jambridge.doctor.judge import network
from jambridge.doctor.judge.network import Mdns

# As the kernel writes it (net/wireless/wext-proc.c), with the values of a Raspberry Pi 4.
WIRELESS = """Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
 wlan0: 0000   {link}.  {level}.  -256        0      0      0     18      0        0
"""


def test_the_question_is_one_that_others_understand() -> None:
    asked = zeroconf.DNSIncoming(network.question("0123abcd"))  # type: ignore[attr-defined]  # public, not in __all__

    assert [(one.name, one.type) for one in asked.questions] == [
        ("_services._dns-sd._udp.local.", 12),
        ("0123abcd.local.", 16),
    ]
    assert not network.is_answer(network.question("0123abcd"))


@given(st.binary(max_size=40))
def test_any_bytes_are_an_answer_or_not(packet: bytes) -> None:
    assert network.is_answer(packet) == (len(packet) > 12 and packet[2] >= 0x80)


@pytest.mark.parametrize(
    ("facts", "needed", "verdict", "reason"),
    [
        (Mdns(True, ("192.168.1.7",)), True, Verdict.GOOD, "1 other answers"),
        (Mdns(True, ("192.168.1.7", "192.168.1.9")), True, Verdict.GOOD, "2 others answer"),
        (Mdns(True), True, Verdict.WARNING, "nobody else answers"),
        (Mdns(False), True, Verdict.FAILURE, "blocked on this machine"),
        (Mdns(False), False, Verdict.WARNING, "blocked on this machine"),
        (Mdns(False, problem="Address already in use"), True, Verdict.FAILURE, "Address already in use"),
    ],
)
def test_mdns_is_judged(facts: Mdns, needed: bool, verdict: Verdict, reason: str) -> None:
    found = network.mdns(facts, is_needed=needed)

    assert found.verdict is verdict
    assert reason in found.reason
    assert bool(found.remedy) == (verdict is not Verdict.GOOD)


@pytest.mark.parametrize(("link", "level", "verdict"), [(58, -52, Verdict.NOTE), (31, -79, Verdict.WARNING)])
def test_wifi_is_judged_by_its_signal(link: int, level: int, verdict: Verdict) -> None:
    _, wifi = network.network(["192.168.1.5"], WIRELESS.format(link=link, level=level))

    assert wifi.verdict is verdict
    assert f"{level} dBm" in wifi.reason


def test_a_machine_on_a_cable_and_one_without_a_network() -> None:
    (wired,) = network.network(["192.168.1.5", "fd00::5"], "")
    (lonely,) = network.network([], "")

    assert wired.reason == "reachable at 192.168.1.5, fd00::5"
    assert lonely.verdict is Verdict.WARNING


@given(st.text())
def test_whatever_the_kernel_writes_of_wifi(text: str) -> None:
    network.network(["192.168.1.5"], text)
