"""Musicians who cannot reach each other directly, or only through a NAT: real coturn, real routers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jambridge.errors import Text
from tests.scenarios import nat
from tests.scenarios.namespaces import Host, network
from tests.scenarios.paths import cloud_hub, open_band, webrtc
from tests.scenarios.turn import SECRET, Coturn, coturn

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


@pytest.mark.parametrize("kind", ["udp", "tcp", "tls"])
def test_where_only_a_relay_is_possible_it_is_used_and_told(world: World, tmp_path: Path, kind: str) -> None:
    section = webrtc(world.cloud, kind)
    trust = {"SSL_CERT_FILE": str(world.turn.config.parent / "turn.pem")}
    with open_band(world.box, world.home, world.hub, tmp_path, [section], trust) as band:
        assert band.seconds_to_sound() < SOON_S
        band.await_path("relay")
        band.await_alert(Text.DIRECT_RELAY)
        assert band.listener.status()["audio"]["ice"]["selected_pairs"] == {"host": 0, "srflx": 0, "relay": 1}
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


def test_a_certificate_that_is_not_trusted_is_the_cause_told(world: World, tmp_path: Path) -> None:
    with open_band(world.box, world.home, world.hub, tmp_path, [webrtc(world.cloud, "tls")]) as band:
        band.await_alert(Text.DIRECT_RETRYING, patience_s=60)
        cause = band.alerts()[Text.DIRECT_RETRYING]
        assert "turns:10.77.0.3:5349: its certificate is not trusted: self-signed certificate" in cause
        assert "Musician 1: no connection after" in cause
        band.await_alert(Text.LIMITED, patience_s=90)
        nat.rejoin(world.box, world.home)
        try:
            band.await_sound()
            band.await_path("host")
            band.await_alert(Text.DIRECT_RETRYING, there=False)
            band.await_alert(Text.LIMITED, there=False)
        finally:
            nat.part(world.box, world.home)


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
    nat.rejoin(world.box, world.home)
    try:
        with (
            coturn(world.box, tmp_path / "second", secret=True),
            open_band(world.box, world.home, world.hub, tmp_path, [section, {"ice_servers": []}]) as band,
        ):
            assert band.seconds_to_sound() < SOON_S
            band.await_path("relay")
            assert Text.DIRECT_RELAY not in band.alerts(), "it was wanted"
            assert SECRET not in band.listener.get("/status")[1] + band.listener.said()
    finally:
        nat.part(world.box, world.home)


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
