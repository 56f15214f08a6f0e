"""Supabase is configured and not there: the room opens on this network, and moves back when it comes.

A hub on another host stands for Supabase.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.daemon import Status, open_daemon, until
from tests.scenarios.namespaces import Host, network

pytestmark = pytest.mark.scenario

PORT = 3001


@contextmanager
def stand_in(host: Host, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = host.run([sys.executable, "-m", "jambridge.hub", "--no-advertise", "--state-dir", str(directory)])
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def seats(status: Status) -> list[str]:
    return list(status["room"]["seats"])


def alerts(status: Status) -> set[str]:
    return {alert["code"] for alert in status["alerts"]}


def test_without_supabase_the_room_is_on_the_lan_hub_until_supabase_is_there(tmp_path: Path) -> None:
    with network(2) as (box, cloud):
        settings = {
            "supabase": {
                "url": f"http://{cloud.address}:{PORT}",
                "anon_key": "sb_publishable_abcdefghijklmnopqrstuv_abcdefgh",
            },
            "hub": {"mode": "host"},
            "light": {"discover": "off"},
            "audio": {"input": "none", "output": "none"},
        }
        with open_daemon(box, tmp_path / "box", "FALL22", settings) as daemon:
            daemon.await_status(lambda status: seats(status) == ["hub"], "the room is open on the LAN")
            daemon.await_status(lambda status: "fallback" in alerts(status), "people are told")
            assert daemon.status()["room"]["link"].endswith("/jam/FALL22"), "guests have a page to go to"
            assert daemon.children("jambridge.hub")

            with stand_in(cloud, tmp_path / "cloud"):
                daemon.await_status(lambda status: seats(status) == ["supabase"], "the LAN room is left again")
                daemon.await_status(lambda status: not alerts(status), "nothing is wrong any more")
                until(lambda: not daemon.children("jambridge.hub"), "the hub ends")
            daemon.await_status(lambda status: "reconnecting" in alerts(status), "Supabase is missed")
            assert daemon.terminate()[0] == 0
        assert "Traceback" not in daemon.said()
