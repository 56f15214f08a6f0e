"""What is broken, missing or hostile is said in a clear line or counted, and the rest works."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.daemon import Daemon, Status, open_daemon, open_wled, until
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import Host, lonely_host, network

pytestmark = pytest.mark.scenario

ROOM = "BAD234"


@pytest.mark.parametrize(
    ("port", "setting", "tries"), [(3001, "hub.port", 2), (3443, "hub.tls_port", 1), (3080, "http.port", 0)]
)
def test_a_port_in_use_is_said_once_with_what_to_do_and_the_rest_works(
    tmp_path: Path, port: int, setting: str, tries: int
) -> None:
    with (
        network(2) as (box, strip),
        open_wled(strip, tmp_path) as wled,
        _occupied(box, port),
        open_daemon(box, tmp_path, ROOM) as daemon,
    ):
        daemon.await_ready()
        daemon.await_said(f"{port}")
        if setting.startswith("hub"):
            daemon.await_status(lambda status: status["services"]["hub"]["restarts"] >= tries, "it is tried again")
            assert daemon.get("/healthz")[0] == 200
            daemon.await_status(_is_driven, "the strip is driven all the same")
        else:
            until(lambda: "mac=" in daemon.said() and "hub started" in daemon.said(), "light and hub run")
        assert wled.info() is not None
        assert [setting in line for line in daemon.said().splitlines()].count(True) == 1, daemon.said()
        assert "Traceback" not in daemon.said()


def test_no_wled_is_said_once_and_the_room_works(tmp_path: Path) -> None:
    with network(2) as (box, guest), open_daemon(box, tmp_path, ROOM) as daemon, playing(guest, box, ROOM):
        daemon.await_status(lambda status: status["notes"]["sources"], "a musician is heard")
        daemon.await_said("no WLED")
        assert len([line for line in daemon.said().splitlines() if "no WLED" in line]) == 1
        assert "Traceback" not in daemon.said()


def test_no_network_is_said_once_and_the_daemon_waits_for_it(tmp_path: Path) -> None:
    with lonely_host() as box, open_daemon(box, tmp_path, ROOM) as daemon:
        daemon.await_ready()
        assert daemon.get("/healthz")[0] == 200
        daemon.await_said("no network")
        assert len([line for line in daemon.said().splitlines() if "no network" in line]) == 1
        assert "Traceback" not in daemon.said()


def test_a_hostile_member_is_counted_and_nobody_is_hurt(tmp_path: Path) -> None:
    with (
        network(4) as (box, strip, guest, enemy),
        open_wled(strip, tmp_path),
        open_daemon(box, tmp_path, ROOM) as daemon,
        playing(guest, box, ROOM),
    ):
        daemon.await_status(lambda status: _packets(status) > 0, "a musician is heard")
        daemon.await_status(_is_driven, "the strip is driven")

        with _speaking(enemy, ["tests.scenarios.hostile_member", f"http://{box.address}:3001", ROOM]) as hostile:
            until(lambda: hostile.stdout is not None and hostile.stdout.readline() == "said\n", "everything was said")
            before, at = _packets(daemon.status()), time.monotonic()
            daemon.await_status(
                lambda status: _packets(status) - before > 25 * (time.monotonic() - at) + 50, "still heard"
            )
            with playing(enemy, box, ROOM, 1):
                daemon.await_status(lambda status: len(status["notes"]["sources"]) > 1, "a newcomer is heard", 20.0)

        status = daemon.status()
        assert sum(status["room"]["dropped"].values()) + sum(status["audio"]["dropped"].values()) > 0
        assert {name: one["restarts"] for name, one in status["services"].items()} == dict.fromkeys(
            status["services"], 0
        )
        assert daemon.get("/healthz")[0] == 200
        assert "Traceback" not in daemon.said()


@pytest.mark.slow
def test_hostile_wleds_are_left_alone_and_the_named_one_is_lit(tmp_path: Path) -> None:
    with network(4) as (box, strip, guest, enemy), open_wled(strip, tmp_path, name="Strip") as wled:
        settings = {"light": {"controllers": [{"name": "Strip"}]}}
        with _speaking(enemy, ["tests.scenarios.hostile_wled", enemy.address]) as hostile:
            until(
                lambda: hostile.stdout is not None and hostile.stdout.readline() == "announced\n", "all are announced"
            )
            with open_daemon(box, tmp_path, ROOM, settings) as daemon, playing(guest, box, ROOM):
                daemon.await_status(_is_driven, "the strip is driven")
                until(lambda: wled.is_live, "the strip shows our light")
                daemon.await_status(lambda status: len(status["light"]["controllers"]) > 3, "the others were asked")
                status = daemon.status()
                assert [one["name"] for one in status["light"]["controllers"] if one["state"] == "driven"] == ["Strip"]
                assert status["services"]["discovery"]["restarts"] == 0
                _is_prompt(daemon)
                assert "Traceback" not in daemon.said()


def _is_prompt(daemon: Daemon) -> None:
    """No loop is stalled: ten answers, none after more than a second."""
    for _ in range(10):
        asked_at = time.monotonic()
        assert daemon.get("/healthz")[0] == 200
        assert time.monotonic() - asked_at < 1.0


def _is_driven(status: Status) -> bool:
    return any(one["state"] == "driven" for one in status["light"]["controllers"])


def _packets(status: Status) -> int:
    return sum(one["packets"] for one in status["audio"]["peers"] if one["name"].startswith("Musician 1"))


@contextmanager
def _occupied(host: Host, port: int) -> Iterator[None]:
    with host.here(lambda: socket.create_server(("0.0.0.0", port))):
        yield


@contextmanager
def _speaking(host: Host, module: list[str]) -> Iterator["subprocess.Popen[str]"]:
    command = host.command([sys.executable, "-m", *module])
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
