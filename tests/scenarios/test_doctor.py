"""The doctor on hosts whose networks are well, and on some whose firewalls and routers are not."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from jambridge.doctor.finding import Finding, Verdict
from tests.doctor.look import findings, look
from tests.scenarios.daemon import JAMBRIDGE, open_daemon, open_wled, until
from tests.scenarios.namespaces import Host, network
from tests.scenarios.nat import filtering, home
from tests.scenarios.turn import SECRET, coturn

pytestmark = pytest.mark.scenario

ROOM = "DRW234"
PATIENCE_S = 120.0
QUIET = {"audio": {"input": "none", "output": "none"}, "midi": {"inputs": "none", "outputs": "none"}}


def whole(host: Host, directory: Path, settings: dict[str, Any]) -> dict[str, Finding]:
    """Each finding of `jambridge doctor` by its name."""
    process = subprocess.run(
        host.command([*JAMBRIDGE, "doctor", "--config", str(_config(directory, settings)), "--json"]),
        env={**os.environ, "JAMBRIDGE_STATE": str(directory / "state")},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert not process.stderr, process.stderr
    return findings(process.stdout)


def part(host: Host, directory: Path, settings: dict[str, Any], *checks: str) -> dict[str, Finding]:
    return look(_config(directory, settings), *checks, before=host.command([]))


def _config(directory: Path, settings: dict[str, Any]) -> Path:
    config = directory / "doctor.yaml"
    config.write_text(yaml.safe_dump({**QUIET, **settings}))
    config.chmod(0o600)
    return config


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
        found = whole(box, tmp_path, settings)
        assert wled.process.poll() is None

    assert [one for one in found.values() if one.verdict is Verdict.FAILURE] == []
    assert all(one.remedy for one in found.values() if one.verdict is Verdict.WARNING)
    for name in ("jambridge", "hub", "mDNS", "WLED Strip", f"TURN {server.address}", f"STUN {server.address}", "NAT"):
        assert found[name].verdict is Verdict.GOOD, found[name]
    assert found["WLED Strip"].reason.startswith(f"{strip.address}, 300 pixels over ddp")
    assert found["NAT"].reason.startswith("none")
    for port in (3080, 3001, 3443):
        assert found[f"port {port}"].verdict is Verdict.NOTE, "they are its own"


@pytest.mark.slow
def test_mdns_that_a_firewall_blocks(tmp_path: Path) -> None:
    def seen() -> dict[str, Finding]:
        return part(box, tmp_path, {}, "mDNS", "WLED")

    with network(2) as (box, strip), open_wled(strip, tmp_path) as wled:
        until(wled.info, "the strip is there")
        with blocked(box, "INPUT", "-p", "udp", "--dport", "5353", "-j", "DROP"):
            inwards = seen()
        with blocked(box, "OUTPUT", "-p", "udp", "--dport", "5353", "-j", "REJECT"):
            outwards = seen()
        opened = seen()

    for found in (inwards, outwards):
        assert found["mDNS"].verdict is Verdict.FAILURE
        assert "ufw allow 5353/udp" in found["mDNS"].remedy
        assert found["WLED"].reason == "none was found"
    assert opened["mDNS"].verdict is Verdict.GOOD
    assert opened["WLED Strip"].verdict is Verdict.GOOD


@pytest.mark.slow
def test_udp_that_is_blocked_and_turn_that_is_refused(tmp_path: Path) -> None:
    def seen(*servers: object) -> dict[str, Finding]:
        return part(box, tmp_path, {"webrtc": {"policy": "relay", "ice_servers": [*servers]}}, "connections")

    with network(2) as (box, server), coturn(server, tmp_path, secret=True):
        stun, turn = f"stun:{server.address}", _turn(server, tmp_path)
        with blocked(box, "INPUT", "-p", "udp", "-j", "DROP"):
            udp_alone = seen(stun, turn)
            with_tcp = seen(stun, turn, _turn(server, tmp_path, "?transport=tcp"))
        refused = seen(_turn(server, tmp_path, secret="another secret than the server's"))

    assert udp_alone["UDP"].verdict is Verdict.FAILURE
    assert udp_alone["UDP"].reason == "blocked: a server answers over TCP, and none over UDP"
    assert "let UDP out" in udp_alone["UDP"].remedy
    assert with_tcp["UDP"].verdict is Verdict.WARNING
    assert refused[f"TURN {server.address}"].verdict is Verdict.FAILURE
    assert "refuses the username or the credential" in refused[f"TURN {server.address}"].reason


@pytest.mark.slow
@pytest.mark.parametrize("symmetric", [True, False])
def test_the_kind_of_router(tmp_path: Path, symmetric: bool) -> None:
    with (
        network(3) as (router, first, second),
        home(router, 1, symmetric=symmetric) as box,
        coturn(first, tmp_path / "first"),
        coturn(second, tmp_path / "second"),
    ):
        servers = [f"stun:{server.address}" for server in (first, second)]
        settings = {"webrtc": {"ice_servers": servers}, "supabase": _elsewhere()}
        nat = part(box, tmp_path, settings, "connections")["NAT"]

    assert nat.verdict is (Verdict.WARNING if symmetric else Verdict.GOOD)
    assert ("symmetric" in nat.reason) == symmetric
    assert bool(nat.remedy) == symmetric


def _elsewhere() -> dict[str, str]:
    """Servers are used only in rooms of Supabase's; here it cannot be reached."""
    return {"url": "https://abcdefghijklmnopqrst.supabase.co", "anon_key": "sb_publishable_0123456789"}


def _turn(server: Host, directory: Path, query: str = "", secret: str = SECRET) -> dict[str, Any]:
    file = directory / f"secret-{len(secret)}"
    file.write_text(secret)
    file.chmod(0o600)
    return {"urls": f"turn:{server.address}{query}", "secret_file": str(file)}
