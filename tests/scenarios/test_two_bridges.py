"""Two bridges and one strip, each on a host of its own, and a musician whom both hear."""

from pathlib import Path

import pytest

from tests.bench import together
from tests.scenarios.capture import capture
from tests.scenarios.daemon import Daemon, Status, open_daemon, open_wled, until
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import network

pytestmark = pytest.mark.scenario

ROOM = "STRIP1"
PIXELS = 60
DDP = 4048


def light(daemon: Daemon) -> Status:
    (one,) = daemon.status()["light"]["controllers"]
    return dict(one)


@pytest.mark.slow
def test_a_strip_that_two_could_drive_has_one_source_and_the_other_follows(tmp_path: Path) -> None:
    with network(4) as (first, second, strip, musician):
        lights = {"light": {"controllers": [{"host": strip.address}], "discover": "off"}}
        with (
            capture(strip) as wire,
            open_wled(strip, tmp_path, PIXELS),
            open_daemon(first, tmp_path / "first", ROOM, lights) as one,
            open_daemon(
                second, tmp_path / "second", ROOM, {**lights, "hub": {"url": f"http://{first.address}:3001"}}
            ) as other,
        ):
            for daemon in (one, other):
                daemon.await_ready()
            boxes = {first.address: one, second.address: other}
            for daemon in boxes.values():
                daemon.await_status(lambda status: len(status["room"]["participants"]) == 2, "both are there")
            with playing(musician, first, ROOM, act="music"):
                for daemon in boxes.values():
                    daemon.await_status(lambda status: status["notes"]["sources"], "the musician is heard")
                until(lambda: len(wire.datagrams(DDP)) > 120, "frames arrive for two seconds")
                sources = {datagram.source for datagram in wire.datagrams(DDP)}
                assert len(sources) == 1
                (driver,) = sources
                (follower,) = boxes.keys() - sources
                assert light(boxes[driver])["state"] == "driven"
                assert light(boxes[follower])["reason"] == "another bridge in this room drives it"
                boxes[driver].terminate()
                until(lambda: follower in {datagram.source for datagram in wire.datagrams(DDP)}, "the other takes over")


@pytest.mark.slow
def test_in_broadcast_mode_a_bridge_shows_its_hosts_colours_and_its_own_when_these_end(tmp_path: Path) -> None:
    with network(4) as (first, second, strip, musician):
        host_light = {"light": {"mode": "broadcast", "discover": "off"}}
        guest_light = {"light": {"mode": "broadcast", "controllers": [{"host": strip.address}], "discover": "off"}}
        there = {"hub": {"url": f"http://{first.address}:3001"}}
        with (
            capture(strip) as wire,
            open_wled(strip, tmp_path, PIXELS),
            open_daemon(first, tmp_path / "first", ROOM, host_light) as host,
        ):
            host.await_ready()
            with open_daemon(second, tmp_path / "second", ROOM, {**guest_light, **there}) as guest:
                guest.await_ready()
                guest.await_status(lambda status: len(status["room"]["participants"]) == 2, "both are there")
                with playing(musician, first, ROOM, act="music"):
                    guest.await_status(lambda status: status["light"]["mode"] == "broadcast", "the host's are shown")
                    before = len(wire.datagrams(DDP))
                    until(lambda: len(wire.datagrams(DDP)) > before + 120, "frames arrive for two seconds")
                    host.terminate()
                    guest.await_status(lambda status: status["light"]["mode"] == "local", "its own are shown")
                assert "Traceback" not in host.said() + guest.said()


@pytest.mark.slow
def test_in_auto_a_bridge_that_does_not_hear_shows_its_hosts_colours_and_its_own_when_it_hears(tmp_path: Path) -> None:
    with network(4) as (first, second, strip, musician):
        own = {"light": {"controllers": [{"host": strip.address}], "discover": "off"}}
        there = {"hub": {"url": f"http://{first.address}:3001"}}
        deafen = ["ip", "route", "add", "blackhole", f"{musician.address}/32"]
        assert second.run(deafen).wait(10) == 0
        with (
            open_wled(strip, tmp_path, PIXELS),
            open_daemon(first, tmp_path / "first", ROOM, {"light": {"discover": "off"}}) as host,
        ):
            host.await_ready()
            with (
                open_daemon(second, tmp_path / "second", ROOM, {**own, **there}) as guest,
                playing(musician, first, ROOM, act="music"),
            ):
                guest.await_ready()
                host.await_status(lambda status: status["notes"]["sources"], "the host hears")
                guest.await_status(lambda status: status["light"]["mode"] == "broadcast", "the host's are shown")
                assert host.status()["light"]["mode"] == "local"
                deafen[2] = "delete"
                assert second.run(deafen).wait(10) == 0
                guest.await_status(lambda status: status["light"]["mode"] == "local", "its own are shown", 90)
            assert "Traceback" not in host.said() + guest.said()


@pytest.mark.slow
def test_together_two_bridges_agree_on_the_delay_that_the_farther_one_needs(tmp_path: Path) -> None:
    instant, both = (
        together.measure(tmp_path / timing, timing, together.FAR, seconds=8.0) for timing in ("instant", "together")
    )

    assert instant.delays_ms == (None, None)
    near_ms, far_ms = both.delays_ms
    assert near_ms == far_ms
    assert near_ms is not None and near_ms > 30
    assert len(both.seconds) > 5
