"""The doctor on hosts whose networks are well, and on some whose firewalls and routers are not."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenarios.daemon import JAMBRIDGE, open_daemon, open_wled, until
from tests.scenarios.namespaces import Host, network
from tests.scenarios.nat import filtering, home
from tests.scenarios.turn import SECRET, coturn

pytestmark = pytest.mark.scenario

ROOM = "DRW234"
PATIENCE_S = 120.0
QUIET = {"audio": {"input": "none", "output": "none"}, "midi": {"inputs": "none", "outputs": "none"}}
Found = dict[str, dict[str, Any]]


def examined(host: Host, directory: Path, settings: dict[str, Any] | None = None) -> Found:
    """Each finding by its name."""
    config = directory / "doctor.yaml"
    config.write_text(yaml.safe_dump({**QUIET, **(settings or {})}))
    config.chmod(0o600)
    process = subprocess.run(
        host.command([*JAMBRIDGE, "doctor", "--config", str(config), "--json"]),
        env={**os.environ, "JAMBRIDGE_STATE": str(directory / "state")},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert "Traceback" not in process.stderr, process.stderr
    return {one["check"]: one for one in json.loads(process.stdout)["findings"]}


def failures(found: Found) -> dict[str, str]:
    return {name: one["reason"] for name, one in found.items() if one["verdict"] == "failure"}


@contextmanager
def blocked(host: Host, *rule: str) -> Iterator[None]:
    filtering(host, "-A", *rule)
    try:
        yield
    finally:
        filtering(host, "-D", *rule)


def test_a_box_that_is_well_and_runs(tmp_path: Path) -> None:
    with (
        network(3) as (box, strip, server),
        open_wled(strip, tmp_path) as wled,
        coturn(server, tmp_path, secret=True),
        open_daemon(box, tmp_path, ROOM) as daemon,
    ):
        daemon.await_status(lambda status: status["room"]["connection"] == "connected", "it is in the room")
        daemon.await_status(lambda status: status["light"]["controllers"], "it knows the strip")
        settings = {"webrtc": {"ice_servers": [f"stun:{server.address}", _turn(server, tmp_path)]}}
        found = examined(box, tmp_path, settings)
        assert wled.process.poll() is None

    assert failures(found) == {}
    assert all(one["remedy"] for one in found.values() if one["verdict"] == "warning")
    assert found["jambridge"]["verdict"] == "good"
    assert found["hub"]["verdict"] == "good"
    assert found["mDNS"]["verdict"] == "good"
    assert found["WLED Strip"]["reason"].startswith(f"{strip.address}, 300 pixels over ddp")
    assert found[f"TURN {server.address}"]["verdict"] == "good"
    assert found["NAT"]["reason"].startswith("none")
    assert found["port 3080"]["verdict"] == found["port 3001"]["verdict"] == "note", "they are its own"


def test_mdns_that_a_firewall_blocks(tmp_path: Path) -> None:
    with network(2) as (box, strip), open_wled(strip, tmp_path) as wled:
        until(wled.info, "the strip is there")
        with blocked(box, "INPUT", "-p", "udp", "--dport", "5353", "-j", "DROP"):
            inwards = examined(box, tmp_path)
        with blocked(box, "OUTPUT", "-p", "udp", "--dport", "5353", "-j", "REJECT"):
            outwards = examined(box, tmp_path)
        opened = examined(box, tmp_path)

    for found in (inwards, outwards):
        assert found["mDNS"]["verdict"] == "failure"
        assert "ufw allow 5353/udp" in found["mDNS"]["remedy"]
        assert found["WLED"]["reason"] == "none was found"
    assert opened["mDNS"]["verdict"] == "good"
    assert opened["WLED Strip"]["verdict"] == "good"


def test_udp_that_is_blocked_and_turn_that_is_refused(tmp_path: Path) -> None:
    with network(2) as (box, server), coturn(server, tmp_path, secret=True):
        relayed = {"policy": "relay", "ice_servers": [f"stun:{server.address}", _turn(server, tmp_path)]}
        over_tcp = _turn(server, tmp_path, "?transport=tcp")
        with blocked(box, "INPUT", "-p", "udp", "-j", "DROP"):
            udp_alone = examined(box, tmp_path, {"webrtc": relayed})
            with_tcp = examined(
                box, tmp_path, {"webrtc": {**relayed, "ice_servers": [*relayed["ice_servers"], over_tcp]}}
            )
        wrong = _turn(server, tmp_path, secret="another secret than the server's")
        refused = examined(box, tmp_path, {"webrtc": {**relayed, "ice_servers": [wrong]}})

    assert udp_alone["UDP"]["verdict"] == "failure"
    assert udp_alone["UDP"]["reason"] == "blocked: a server answers over TCP, and none over UDP"
    assert "let UDP out" in udp_alone["UDP"]["remedy"]
    assert with_tcp["UDP"]["verdict"] == "warning"
    turn = refused[f"TURN {server.address}"]
    assert turn["verdict"] == "failure"
    assert "refuses the username or the credential" in turn["reason"]


@pytest.mark.parametrize("symmetric", [True, False])
def test_the_kind_of_router(tmp_path: Path, symmetric: bool) -> None:
    with (
        network(3) as (router, first, second),
        home(router, 1, symmetric=symmetric) as box,
        coturn(first, tmp_path / "first"),
        coturn(second, tmp_path / "second"),
    ):
        servers = [f"stun:{server.address}" for server in (first, second)]
        nat = examined(box, tmp_path, {"webrtc": {"ice_servers": servers}, "supabase": _elsewhere()})["NAT"]

    assert nat["verdict"] == ("warning" if symmetric else "good")
    assert ("symmetric" in nat["reason"]) == symmetric
    assert bool(nat["remedy"]) == symmetric


def _elsewhere() -> dict[str, str]:
    """Servers are used only in rooms of Supabase's; here it cannot be reached."""
    return {"url": "https://abcdefghijklmnopqrst.supabase.co", "anon_key": "sb_publishable_0123456789"}


def _turn(server: Host, directory: Path, query: str = "", secret: str = SECRET) -> dict[str, Any]:
    file = directory / f"secret-{len(secret)}"
    file.write_text(secret)
    file.chmod(0o600)
    return {"urls": f"turn:{server.address}{query}", "secret_file": str(file)}
