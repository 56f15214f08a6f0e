"""What is broken, missing or hostile is said in a clear line or counted, and the rest works."""

import asyncio
import contextlib
import math
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from jambridge.config import ControllerConfig
from jambridge.light import ddp
from jambridge.light.discovery import Found
from jambridge.light.link import UdpLink
from jambridge.light.rig import Rig
from jambridge.light.wled import Controller
from jambridge.midi.ports import NONE
from jambridge.units import LocalSeconds
from tests.fakes.instrument import PERIOD_FRAMES, instrument
from tests.fakes.jack import jack
from tests.light.test_discovery import discovering, only, until_found
from tests.scenarios.congested import congested
from tests.scenarios.daemon import PATIENCE_S, Daemon, Status, is_driven, open_daemon, open_wled, until
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import Host, lonely_host, network

pytestmark = pytest.mark.scenario

ROOM = "BAD234"
NEVER = LocalSeconds(-math.inf)


@pytest.mark.parametrize(
    ("port", "setting", "tries"),
    [
        (3001, "hub.port", 2),
        pytest.param(3443, "hub.tls_port", 1, marks=pytest.mark.slow),
        pytest.param(3080, "http.port", 0, marks=pytest.mark.slow),
    ],
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
            daemon.await_status(is_driven, "the strip is driven all the same")
        else:
            until(lambda: "mac=" in daemon.said() and "hub started" in daemon.said(), "light and hub run")
        assert wled.info() is not None
        told = [line for line in daemon.said().splitlines() if setting in line]
        assert [".alerts: " in line for line in told] in ([False], [False, True]), daemon.said()
        assert "Traceback" not in daemon.said()


def test_no_wled_is_said_once_and_the_room_works(tmp_path: Path) -> None:
    with network(2) as (box, guest), open_daemon(box, tmp_path, ROOM) as daemon, playing(guest, box, ROOM):
        daemon.await_status(lambda status: status["notes"]["sources"], "a musician is heard")
        daemon.await_said("no WLED")
        assert len([line for line in daemon.said().splitlines() if "no WLED" in line]) == 1
        assert "Traceback" not in daemon.said()


def test_a_strip_that_is_cut_off_while_we_light_it_is_absent_and_never_somebody_elses(tmp_path: Path) -> None:
    async def light(strip: Host) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while True:
                for packet in ddp.encode(np.zeros((10, 3), np.uint8), 0):
                    with contextlib.suppress(OSError):
                        sender.sendto(packet, (strip.address, ddp.PORT))
                await asyncio.sleep(0.05)

    async def scenario(box: Host, strip: Host) -> list[str]:
        seen: list[str] = []

        def is_absent(found: tuple[Found, ...]) -> bool:
            seen.append(found[0].state)
            return seen[-1] == "absent"

        section = only(ControllerConfig(host=strip.address))
        async with asyncio.timeout(PATIENCE_S), discovering(section) as (discovery, _):
            lighting = asyncio.create_task(light(strip))
            await until_found(discovery, lambda found: bool(found) and found[0].fps_shown > 0)
            box.unplug()
            await until_found(discovery, is_absent)
            lighting.cancel()
        return seen

    with network(2) as (box, strip), open_wled(strip, tmp_path, 10) as wled:
        until(lambda: wled.info() is not None, "the strip is there")
        seen = box.here(lambda: asyncio.run(scenario(box, strip)))
    assert "foreign" not in seen


def test_no_midi_at_all_is_said_once_and_the_rest_works(tmp_path: Path) -> None:
    nobody = {"JACK_DEFAULT_SERVER": "nobody", "JACK_NO_START_SERVER": "1"}
    with (
        network(2) as (box, strip),
        open_wled(strip, tmp_path),
        open_daemon(box, tmp_path, ROOM, env=nobody) as daemon,
    ):
        daemon.await_status(lambda status: status["midi"]["problem"] == NONE, "it is told")
        daemon.await_status(is_driven, "the strip is driven all the same")
        daemon.await_status(lambda status: status["room"]["state"] != "joining", "the room is there")
        assert daemon.status()["services"]["midi"]["restarts"] == 0
        assert daemon.said().count(NONE) == 1, daemon.said()
        assert "Traceback" not in daemon.said()


def test_a_midi_input_that_is_not_there_is_said_once_with_those_that_are(tmp_path: Path) -> None:
    said = "no MIDI input is called 'organ'; there are: keys:out"
    with (
        jack(period_frames=PERIOD_FRAMES) as server,
        instrument(server, "keys"),
        network(1) as (box,),
        open_daemon(box, tmp_path, ROOM, {"midi": {"inputs": ["organ"]}}, server.environment) as daemon,
    ):
        daemon.await_status(lambda status: status["midi"]["problem"] == said, "it is told")
        daemon.await_status(lambda status: status["midi"]["outputs"] == ["keys in:in"], "the output is used")
        assert daemon.said().count(said) == 1, daemon.said()


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
        daemon.await_status(is_driven, "the strip is driven")

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
                daemon.await_status(is_driven, "the strip is driven")
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


def test_frames_for_a_strip_whose_way_is_full_are_skipped_and_counted_and_the_others_are_sent_theirs() -> None:
    frames = 200
    arrived: list[list[bytes]] = []
    with network(3) as (box, slow, quick), _strip(slow), _strip(quick) as receiver:
        rig = Rig(UdpLink)
        rig.set_controllers(Controller(f"{one.address:0>12}", one.name, one.address, 600) for one in (slow, quick))

        def show(numbers: Iterable[int]) -> None:
            for number in numbers:
                now = LocalSeconds(1 + 0.0167 * number)
                rig.show(lambda one: np.zeros((one.pixels, 3), np.float32), partial(_same, now), NEVER, sounding=True)
                arrived.append([receiver.recv(2 * ddp.MAX_DATA) for _ in range(2)])

        with congested(box, slow):
            box.here(lambda: show(range(frames)))
            there, here = rig.report(LocalSeconds(5))
        box.here(lambda: show([frames]))
        again, _ = rig.report(LocalSeconds(5))
        box.here(rig.close)

        assert (here.frames_sent, here.skipped, here.errors, here.error) == (frames, 0, 0, None)
        assert there.frames_sent > 0 < there.skipped
        assert (there.frames_sent + there.skipped, there.errors, there.error) == (frames, 0, None)
        assert again.frames_sent == there.frames_sent + 1, "as soon as there is room"
        assert [[ddp.decode(packet).push for packet in frame] for frame in arrived] == [[False, True]] * (frames + 1)


def _same(now: LocalSeconds) -> LocalSeconds:
    return now


@contextmanager
def _strip(host: Host) -> Iterator[socket.socket]:
    """Its data port, open: else the network would say that nobody listens."""
    with host.here(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind((host.address, ddp.PORT))
        receiver.settimeout(PATIENCE_S)
        yield receiver
