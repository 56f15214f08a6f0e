"""Ports that are really taken."""

import errno
import socket
from pathlib import Path

import pytest

from jambridge.doctor.finding import Verdict
from jambridge.doctor.judge import listening
from jambridge.doctor.judge.listening import Port
from jambridge.doctor.probe import listening as probe
from tests.doctor.look import look
from tests.fakes.ports import free_port
from tests.fakes.worlds import AS_NOBODY, ROOT


def test_a_taken_port_names_who_has_it_and_the_key_to_change(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    with socket.create_server(("127.0.0.1", 0)) as taking:
        port = taking.getsockname()[1]
        config.write_text(
            f"http: {{port: {port}}}\nhub: {{port: {free_port()}, tls_port: {free_port()}, bind: 127.0.0.1}}\n"
        )
        taken, *others = look(config, "ports").values()

    ours = Path("/proc/self/comm").read_text().strip()
    assert taken.check == f"port {port}"
    assert (taken.verdict, taken.reason) == (Verdict.FAILURE, f"taken: {ours} has it (http.port)")
    assert taken.remedy == f"end {ours}, or set http.port to a free port"
    assert [one.verdict for one in others] == [Verdict.GOOD, Verdict.GOOD]


def test_a_free_port_is_free_again_afterwards() -> None:
    port = free_port()
    for _ in range(2):
        assert probe.listen("http.port", "127.0.0.1", port, is_ours=False).error is None


def test_an_address_of_another_machine() -> None:
    found = listening.port(probe.listen("hub.port", "192.0.2.7", free_port(), is_ours=False))

    assert found.verdict is Verdict.FAILURE
    assert "hub.bind" in found.remedy


def test_a_name_that_is_none() -> None:
    found = listening.port(probe.listen("hub.port", "fe80::1%nowhere", free_port(), is_ours=False))

    assert found.reason == "fe80::1%nowhere is no address of this machine (hub.bind)"


@ROOT
def test_a_port_that_this_user_may_not_have() -> None:
    environment = {"JAMBRIDGE_HTTP__PORT": "81", "JAMBRIDGE_HUB__MODE": "off"}
    privileged = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip()
    if int(privileged) <= 81:
        pytest.skip("everybody may here")
    found = look(Path("/dev/null"), "ports", before=AS_NOBODY, environment=environment)["port 81"]

    assert found.remedy == "set http.port to a free port, 1024 or above"


def test_ports_are_judged() -> None:
    unseen = listening.port(Port("hub.port", "0.0.0.0", 3001, errno.EADDRINUSE))
    ours = listening.port(Port("hub.port", "0.0.0.0", 3001, errno.EADDRINUSE, is_ours=True))
    strange = listening.port(Port("hub.port", "0.0.0.0", 3001, errno.ENFILE))

    assert unseen.remedy == "sudo ss -lptn sport = :3001 names it, or set hub.port to a free port"
    assert ours.verdict is Verdict.NOTE
    assert strange.verdict is Verdict.FAILURE
