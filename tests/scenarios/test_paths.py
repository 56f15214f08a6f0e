"""Musicians who cannot reach each other directly, or only through a NAT: real coturn, real routers."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from jambridge.errors import Text
from tests.scenarios import nat
from tests.scenarios.namespaces import Host, network
from tests.scenarios.paths import NO_SERVERS, cloud_hub, open_band, webrtc
from tests.scenarios.turn import PORT, SECRET, Coturn, coturn

pytestmark = pytest.mark.scenario

SOON_S = 3.0
RESTARTED_S = 10.0


@dataclass(frozen=True)
class World:
    """Two hosts that find no way to each other, and one in the middle with a room and a TURN server."""

    box: Host
    home: Host
    cloud: Host
    hub: str
    turn: Coturn


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("world")
    with network(3) as (box, home, cloud), cloud_hub(cloud, directory / "hub") as hub, coturn(cloud, directory) as turn:
        nat.part(box, home)
        yield World(box, home, cloud, hub, turn)


@contextmanager
def reachable(world: World) -> Iterator[None]:
    """The two find each other for once."""
    nat.rejoin(world.box, world.home)
    try:
        yield
    finally:
        nat.part(world.box, world.home)


@pytest.mark.parametrize("kind", ["udp", pytest.param("tcp", marks=pytest.mark.slow), "tls"])
def test_where_only_a_relay_is_possible_it_is_used_and_told(world: World, tmp_path: Path, kind: str) -> None:
    section = webrtc(world.cloud, kind)
    trust = {"SSL_CERT_FILE": str(world.turn.config.parent / "turn.pem")}
    with open_band(world.box, world.home, world.hub, tmp_path, [section], trust) as band:
        assert band.seconds_to_sound() < SOON_S
        band.await_path("relay")
        band.await_alert(Text.DIRECT_RELAY)
        assert band.listener.status()["audio"]["ice"]["selected_pairs"] == {"host": 0, "srflx": 0, "relay": 1}
        assert 'jambridge_ice_selected_pair_total{type="relay"} 1.0' in band.listener.get("/metrics")[1]
        band.player.kill()
        band.await_alert(Text.DIRECT_RELAY, there=False)


def test_a_turn_server_that_was_restarted_is_used_again(world: World, tmp_path: Path) -> None:
    with open_band(world.box, world.home, world.hub, tmp_path, [webrtc(world.cloud, "udp")]) as band:
        band.seconds_to_sound()
        world.turn.kill()
        band.await_alert(Text.DIRECT_RETRYING)
        world.turn.start()
        assert band.await_sound() < RESTARTED_S
        band.await_alert(Text.DIRECT_RETRYING, there=False)
        band.await_path("relay")


@pytest.mark.slow
def test_a_certificate_that_is_not_trusted_is_the_cause_told(world: World, tmp_path: Path) -> None:
    with open_band(world.box, world.home, world.hub, tmp_path, [webrtc(world.cloud, "tls")]) as band:
        band.await_alert(Text.DIRECT_RETRYING)
        cause = band.alerts()[Text.DIRECT_RETRYING]
        assert "turns:10.77.0.3:5349: its certificate is not trusted: self-signed certificate" in cause
        assert "Musician 1: no connection after 1 attempt" in cause
        with reachable(world):
            band.await_sound()
            band.await_path("host")
            band.await_alert(Text.DIRECT_RETRYING, there=False)


@pytest.mark.slow
def test_after_many_attempts_connectivity_is_said_to_be_limited_until_one_succeeds(
    world: World, tmp_path: Path
) -> None:
    with open_band(world.box, world.home, world.hub, tmp_path, [NO_SERVERS]) as band:
        band.await_alert(Text.LIMITED, patience_s=90)
        with reachable(world):
            band.await_sound()
            band.await_alert(Text.LIMITED, there=False)


def test_where_there_is_a_direct_way_it_is_taken_though_there_is_a_relay(world: World, tmp_path: Path) -> None:
    section = webrtc(world.cloud, "stun", "udp")
    with reachable(world), open_band(world.box, world.home, world.hub, tmp_path, [section]) as band:
        assert band.seconds_to_sound() < SOON_S
        band.await_path("host")
        assert not band.alerts()


@pytest.mark.slow
def test_lost_packets_are_told_while_many_are_lost(world: World, tmp_path: Path) -> None:
    loss = ("INPUT", "-p", "udp", "-m", "statistic", "--mode", "random", "--probability", "0.25", "-j", "DROP")
    with reachable(world), open_band(world.box, world.home, world.hub, tmp_path, [NO_SERVERS]) as band:
        band.seconds_to_sound()
        nat.filtering(world.box, "-A", *loss)
        try:
            band.await_alert(Text.LIMITED)
            assert "% of packets lost" in band.alerts()[Text.LIMITED]
        finally:
            nat.filtering(world.box, "-D", *loss)
        band.await_alert(Text.LIMITED, there=False, patience_s=60)


def test_more_than_100_ms_are_told_while_the_way_is_long(world: World, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fakes.slow_wire", world.cloud.address, "4000", str(PORT), "110"]
    wire = world.cloud.run(command)
    server = {**webrtc(world.cloud, "udp")["ice_servers"][0], "urls": f"turn:{world.cloud.address}:4000"}
    long = {"ice_servers": [server], "policy": "relay"}
    try:
        with open_band(world.box, world.home, world.hub, tmp_path, [long, NO_SERVERS]) as band:
            band.await_alert(Text.HIGH_LATENCY)
            assert band.peer()["latency_ms"]["network"] > 100
            assert "Musician 1: 11" in band.alerts()[Text.HIGH_LATENCY]
            wire.send_signal(signal.SIGUSR1)
            band.await_alert(Text.HIGH_LATENCY, there=False)
    finally:
        wire.kill()
        wire.wait()


def test_a_wrong_password_is_the_cause_told_and_written_nowhere(world: World, tmp_path: Path) -> None:
    section = webrtc(world.cloud, "udp")
    wrong = {**section, "ice_servers": [{**section["ice_servers"][0], "credential": "closed-sesame"}]}
    with open_band(world.box, world.home, world.hub, tmp_path, [wrong]) as band:
        band.listener.await_status(
            lambda status: "refuses the username" in (status["audio"]["ice"]["servers"][0]["error"] or ""), "it is said"
        )
        assert "closed-sesame" not in band.listener.get("/status")[1] + band.listener.said()


def test_credentials_are_made_of_a_secret_and_nothing_but_the_relay_is_used_where_that_is_wanted(
    world: World, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    url = f"turn:{world.box.address}:3478"
    section = {"ice_servers": [{"urls": url, "secret_file": str(secret)}], "policy": "relay"}
    with (
        reachable(world),
        coturn(world.box, tmp_path / "second", secret=True),
        open_band(world.box, world.home, world.hub, tmp_path, [section, NO_SERVERS]) as band,
    ):
        assert band.seconds_to_sound() < SOON_S
        band.await_path("relay")
        assert Text.DIRECT_RELAY not in band.alerts(), "it was wanted"
        assert SECRET not in band.listener.get("/status")[1] + band.listener.said()


@pytest.mark.parametrize(("symmetric", "path"), [(False, "srflx"), (True, "relay")])
def test_through_the_routers_of_two_homes(tmp_path: Path, symmetric: bool, path: str) -> None:
    with (
        network(3) as (first, second, cloud),
        nat.home(first, 1, symmetric=symmetric) as box,
        nat.home(second, 2, symmetric=symmetric) as home,
        cloud_hub(cloud, tmp_path / "hub") as hub,
        coturn(cloud, tmp_path),
        open_band(box, home, hub, tmp_path, [webrtc(cloud, "stun", "udp")]) as band,
    ):
        assert band.seconds_to_sound() < SOON_S
        band.await_path(path)
        network_ms = band.listener.await_status(
            lambda status: status["audio"]["peers"][0]["latency_ms"]["network"] is not None, "the way is measured"
        )
        assert network_ms < SOON_S
        band.await_alert(Text.DIRECT_RELAY, there=path == "relay")
