"""However short a daemon's life and whatever it is doing: it starts without a network and ends well."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from tests.scenarios.capture import capture
from tests.scenarios.daemon import JAMBRIDGE, PATIENCE_S, Daemon, open_daemon, open_wled, until
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import Host, lonely_host, network

pytestmark = pytest.mark.scenario

ROOM = "END234"
PIXELS = 300
EXIT_S = 3.0
READY_S = 3.0
RELEASED_S = 0.1


@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.6, 1.0, 1.5])
def test_sigterm_during_start_up_is_a_clean_exit(tmp_path: Path, after_s: float) -> None:
    with lonely_host() as box, open_daemon(box, tmp_path, ROOM) as daemon:
        until(lambda: _catches_sigterm(daemon), "the interpreter has reached our first line")
        time.sleep(after_s)  # the moment is what is tested; whatever it meets must hold

        exit_status, took_s = daemon.terminate()

        assert exit_status == 0, daemon.said()
        assert took_s < EXIT_S
        assert "Traceback" not in daemon.said()


def test_sigterm_while_joining_a_room_that_never_answers_is_a_clean_exit(tmp_path: Path) -> None:
    with network(2) as (box, other), _mute_server(other, 3001) as knocked:
        settings = {"hub": {"url": f"http://{other.address}:3001"}}
        with open_daemon(box, tmp_path, ROOM, settings) as daemon:
            daemon.await_ready()
            until(lambda: _knocks(knocked), "it tries to join")

            exit_status, took_s = daemon.terminate()

            assert exit_status == 0, daemon.said()
            assert took_s < EXIT_S
            assert "Traceback" not in daemon.said()


def test_sigterm_while_playing_releases_the_strip_before_everything_else(tmp_path: Path) -> None:
    with (
        network(3) as (box, strip, guest),
        capture(strip) as wire,
        open_wled(strip, tmp_path, PIXELS) as wled,
        open_daemon(box, tmp_path, ROOM) as daemon,
        playing(guest, box, ROOM),
    ):
        until(lambda: wled.is_live, "the strip shows our light")
        until(lambda: any(frame.pixels.any() for frame in wire.frames(PIXELS)), "in colours")
        asked_at = time.monotonic()

        exit_status, took_s = daemon.terminate()

        assert exit_status == 0, daemon.said()
        assert took_s < EXIT_S
        (released_at, *_) = wire.releases(asked_at)
        assert released_at - asked_at < RELEASED_S
        assert not wire.ddp(released_at + 0.02), "frames after the release would take the strip again"
        last = wire.frames(PIXELS)[-1]
        assert last.pixels.any(), "no black frame before the release"
        until(lambda: not wled.is_live, "the WLED shows its own state")
        assert "Traceback" not in daemon.said()


def test_a_second_start_is_ready_within_three_seconds_without_a_network(tmp_path: Path) -> None:
    with network(1) as (box,), open_daemon(box, tmp_path, ROOM) as daemon:
        daemon.await_ready()
        assert daemon.terminate()[0] == 0

    with lonely_host() as box:
        began = time.monotonic()
        with open_daemon(box, tmp_path, ROOM) as daemon:
            daemon.await_ready()
            took_s = time.monotonic() - began
            print(f"ready after {took_s:.2f} s")
            assert took_s < READY_S
            assert daemon.get("/healthz")[0] == 200
            assert daemon.terminate()[0] == 0
            assert "Traceback" not in daemon.said()


def test_a_daemon_that_dies_leaves_neither_hub_nor_light_process_behind(tmp_path: Path) -> None:
    with network(1) as (box,), open_daemon(box, tmp_path, ROOM) as daemon:
        daemon.await_ready()
        until(lambda: daemon.children("jambridge.hub") and daemon.children("jambridge.light.engine"), "both run")
        orphans = daemon.children("jambridge.hub") + daemon.children("jambridge.light.engine")

        daemon.process.kill()
        daemon.process.wait()

        until(
            lambda: not any(orphan.is_running() and orphan.status() != "zombie" for orphan in orphans), "both are gone"
        )


def test_an_impossible_room_code_is_said_and_exits_with_64() -> None:
    done = _run("--room", "not a room code")

    assert done.returncode == 64
    assert "Invalid room code" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_room_that_must_be_there_and_is_not_is_said_and_exits_with_69(tmp_path: Path) -> None:
    settings = {"room": {"on_missing": "exit"}}
    with lonely_host() as box, open_daemon(box, tmp_path, ROOM, settings) as daemon:
        assert daemon.process.wait(PATIENCE_S) == 69
        assert "Session not found: nobody is there, and no session of that code is stored" in daemon.said().splitlines()
        assert "Traceback" not in daemon.said()


def test_every_problem_of_the_configuration_is_said_with_its_line_and_exits_with_78(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("light:\n  brightnes: 0.5\n  max_fps: 1000\nhub:\n  port: many\n")

    done = _run("--config", str(config))

    assert done.returncode == 78
    for line, word in ((2, "brightness"), (3, "max_fps"), (5, "port")):
        assert any(f":{line}" in said and word in said for said in done.stderr.splitlines()), done.stderr
    assert "Traceback" not in done.stderr


def _catches_sigterm(daemon: Daemon) -> bool:
    """Whether it has a handler for it (man 5 proc_pid_status, SigCgt); before, it dies of it as any program does."""
    with suppress(FileNotFoundError):
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        caught = int(re.findall(r"SigCgt:\s*([0-9a-f]+)", status)[0], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1)
    return False


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*JAMBRIDGE, *arguments], capture_output=True, text=True, timeout=60, check=False, env=os.environ
    )


@contextmanager
def _mute_server(host: Host, port: int) -> Iterator[socket.socket]:
    """Takes connections and never says a word."""
    listener = host.here(lambda: socket.create_server(("0.0.0.0", port)))
    listener.setblocking(False)
    with listener:
        yield listener


def _knocks(listener: socket.socket) -> bool:
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return False
    connection.detach()  # left open until the process ends: a server that hangs
    return True


def test_a_network_that_comes_up_later_is_used(tmp_path: Path) -> None:
    """A box is often ready before its Wi-Fi is: then there is neither a route nor an address yet."""
    with network(2) as (box, strip), open_wled(strip, tmp_path, PIXELS):
        _ip_on(box, "address", "flush", "dev", "eth0")
        box.unplug()
        with open_daemon(box, tmp_path, ROOM) as daemon:
            daemon.await_ready()
            daemon.await_said("there is no network")

            _ip_on(box, "address", "add", f"{box.address}/24", "dev", "eth0")
            box.plug_in()

            daemon.await_said(f"https://{box.address}:3443/jam/{ROOM}")
            daemon.await_status(
                lambda status: any(one["state"] == "driven" for one in status["light"]["controllers"]),
                "the strip is found by mDNS",
            )
            assert "Traceback" not in daemon.said()


def test_a_second_box_joins_the_hub_of_the_first(tmp_path: Path) -> None:
    """Each box has two programs of ours on the mDNS port: an answer to one of them only would be lost."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with network(2) as (one, other), open_daemon(one, tmp_path / "first", ROOM) as first:
        first.await_status(lambda status: status["room"]["connection"] == "connected", "the first has opened the room")
        with open_daemon(other, tmp_path / "second", ROOM) as second:
            second.await_status(lambda status: len(status["room"]["participants"]) == 2, "they see each other")

            assert second.status()["room"]["link"] == f"https://{one.address}:3443/jam/{ROOM}"
            assert "hub started" not in second.said()
            assert all(service["restarts"] == 0 for service in second.status()["services"].values())


@pytest.mark.slow
def test_a_hub_that_hangs_is_replaced(tmp_path: Path) -> None:
    with network(1) as (box,), open_daemon(box, tmp_path, ROOM) as daemon:
        daemon.await_status(lambda status: status["room"]["connection"] == "connected", "in the room")
        (hub,) = daemon.children("jambridge.hub")

        hub.suspend()

        daemon.await_status(lambda status: status["services"]["hub"]["restarts"] == 1, "the hub is given up")
        daemon.await_status(lambda status: status["room"]["connection"] == "connected", "in the room of a new one")
        assert not hub.is_running()


def test_a_reload_changes_what_can_change_and_says_what_takes_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    with lonely_host() as box, open_daemon(box, tmp_path, ROOM) as daemon:
        daemon.await_ready()
        daemon.mix(inputMuted=True)
        audio = {"input": "none", "output": "none", "master_volume": 0.25}
        file.write_text(yaml.safe_dump({"audio": audio, "light": {"effect": "wash"}, "hub": {"max_connections": 9}}))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.await_said("changed=audio.master_volume, light.effect")
        daemon.await_said("restart to apply what else has changed keys=hub.max_connections")
        status = daemon.status()
        assert (status["audio"]["output"]["volume"], status["light"]["effect"]) == (0.25, "wash")
        assert status["audio"]["input"]["muted"], "the file does not say otherwise"

        file.write_text("light: {effect: rol}\nlog: {level: debug}\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.await_said("nothing has changed: ")
        assert daemon.status()["light"]["effect"] == "wash"
        file.write_text("light: {mode: off}\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.await_said("light.mode")
        file.write_text("light: {effect: roll}\nlog: {level: warning}\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.await_status(lambda status: status["light"]["effect"] == "roll", "it is right again")
        assert daemon.get("/healthz") == (200, "ok\n")


def _ip_on(host: Host, *arguments: str) -> None:
    subprocess.run(["ip", "-n", host.name, *arguments], check=True)
