"""A box goes on where it was: after a restart by itself, after an evening on request."""

import itertools
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.daemon import Daemon, Status, open_daemon, until
from tests.scenarios.namespaces import lonely_host

pytestmark = pytest.mark.scenario

ROOM = "KEEP23"
MUSIC = {"tempo": 96, "key": "D", "scale": "minor", "colorMode": "harmonic"}


def music(status: Status) -> dict[str, Any]:
    return {name: status["state"][name] for name in MUSIC}


def await_host(daemon: Daemon) -> None:
    daemon.await_status(lambda status: status["room"]["host_id"], "it hosts the room")


def test_a_box_that_was_killed_comes_back_with_its_music_and_volume_and_does_not_play_by_itself(tmp_path: Path) -> None:
    with lonely_host() as box:
        with open_daemon(box, tmp_path, ROOM, {"store": {"save_every_s": 1}}) as daemon:
            await_host(daemon)
            daemon.mix(masterVolume=0.3)
            daemon.change(**MUSIC, isPlaying=True)
            daemon.await_status(lambda status: status["store"]["saved_at"], "it is saved")
            before = daemon.status()["store"]["saved_at"]
            daemon.mix(players={"Ann": {"gain": 0.5}})
            daemon.change(tempo=97)
            daemon.await_status(lambda status: status["store"]["saved_at"] != before, "it is saved again")
            until((tmp_path / "state" / "gains.json").exists, "and how loud Ann is")
            daemon.process.kill()
            daemon.process.wait()
        with open_daemon(box, tmp_path, ROOM) as daemon:
            daemon.await_status(lambda status: music(status) == {**MUSIC, "tempo": 97}, "its music is back")
            assert daemon.status()["state"]["isPlaying"] is False
            assert json.loads(daemon.get("/api/audio")[1])["players"] == {"Ann": {"gain": 0.5, "muted": False}}
            assert daemon.status()["audio"]["output"]["volume"] == 0.3
            assert "Traceback" not in daemon.said()


@pytest.mark.slow
def test_another_room_begins_with_the_defaults(tmp_path: Path) -> None:
    with lonely_host() as box:
        with open_daemon(box, tmp_path, ROOM) as daemon:
            await_host(daemon)
            daemon.change(**MUSIC)
        with open_daemon(box, tmp_path, "ELSE23") as daemon:
            await_host(daemon)
            daemon.await_status(lambda status: status["store"]["saved_at"], "the store is open, and read")
            assert daemon.status()["state"]["revision"] == 0


def test_a_session_is_resumed_on_request_and_a_new_one_begun_like_it(tmp_path: Path) -> None:
    with lonely_host() as box:
        with open_daemon(box, tmp_path, ROOM) as daemon:
            await_host(daemon)
            daemon.change(**MUSIC, isPlaying=True)
            assert daemon.terminate()[0] == 0
        with open_daemon(box, tmp_path, ROOM.lower(), arguments=["--play"], verb=("sessions", "resume")) as daemon:
            daemon.await_status(lambda status: music(status) == MUSIC, "its music is back")
            assert daemon.status()["state"]["isPlaying"] is True
            assert daemon.status()["room"]["code"] == ROOM
        with open_daemon(box, tmp_path, ROOM, verb=("create", "--template")) as daemon:
            daemon.await_status(lambda status: music(status) == MUSIC, "its music is there")
            assert daemon.status()["state"]["isPlaying"] is False
            assert daemon.status()["room"]["code"] != ROOM


@pytest.mark.slow
def test_systemd_is_told_in_time_that_a_box_lives_which_resumes_a_session(tmp_path: Path) -> None:
    """It waits 10 s, and is told every 5: what is longer was lost on the way from one run to the next."""
    settings, watched = {"store": {"save_every_s": 1}}, {"WATCHDOG_USEC": "10000000"}
    with lonely_host() as box, open_daemon(box, tmp_path, ROOM, settings, watched) as daemon:
        await_host(daemon)
        daemon.change(**MUSIC)
        daemon.await_status(lambda status: status["store"]["saved_at"], "it is saved")
        with suppress(BlockingIOError):
            while True:
                daemon.notice(0)
        while daemon.notice() != "WATCHDOG=1":
            pass
        told_at = [time.monotonic()]
        time.sleep(4)  # the moment is what is tested: it would soon have been told again

        daemon.resume(ROOM)

        said, is_back = "", False
        while not is_back or said != "WATCHDOG=1":
            said = daemon.notice()
            is_back = is_back or "READY=1" in said
            if said == "WATCHDOG=1":
                told_at.append(time.monotonic())
        gaps_s = [after - before for before, after in itertools.pairwise(told_at)]
        assert max(gaps_s) < 7, gaps_s
        daemon.await_status(lambda status: music(status) == MUSIC, "its music is back")


def test_a_session_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with lonely_host() as box, open_daemon(box, tmp_path, "NONE23", verb=("sessions", "resume")) as daemon:
        assert daemon.process.wait(20) == 69
        assert daemon.said().strip() == "Session not found"
