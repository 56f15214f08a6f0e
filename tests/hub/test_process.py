"""The hub as a process: `python -m jambridge.hub`."""

import asyncio
import json
import os
import pty
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from jambridge.hub.server import HubServer
from tests.fakes.waiting import until
from tests.hub.live import Member
from tests.hub.test_socketio import Player

PATIENCE_S = 30


@contextmanager
def process(directory: Path, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "jambridge.hub", "--state-dir", str(directory), "--bind", "127.0.0.1", *options]
    pipe = subprocess.PIPE
    surroundings = os.environ | environment
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=surroundings) as hub:
        try:
            yield hub
        finally:
            hub.kill()


class Here(HubServer):
    """A hub in another process, as far as a client needs to know it."""

    def __init__(self, port: int) -> None:
        self.port = port


FREE = ("--port", "0", "--tls-port", "0", "--no-advertise")


def said(hub: subprocess.Popen[str]) -> dict[str, Any]:
    assert hub.stdout is not None
    line: dict[str, Any] = json.loads(hub.stdout.readline())
    return line


def test_it_says_where_it_listens_keeps_its_id_and_leaves_on_sigterm(tmp_path: Path) -> None:
    lines = []
    for _ in range(2):
        with process(tmp_path, *FREE) as hub:
            lines.append(said(hub))
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[-1]['port']}/healthz", timeout=PATIENCE_S) as answer:
                assert json.load(answer)["hub_id"] == lines[-1]["hub_id"]
            hub.send_signal(signal.SIGTERM)
            assert hub.wait(PATIENCE_S) == 0

    assert lines[0].keys() == {"port", "tls_port", "hub_id", "fingerprint"}
    assert lines[0]["hub_id"] == lines[1]["hub_id"]
    assert lines[0]["fingerprint"] == lines[1]["fingerprint"]


@pytest.mark.parametrize("delay_s", [0.02, 0.1, 0.2, 0.4])
def test_sigterm_during_the_start_is_an_exit_like_any_other(tmp_path: Path, delay_s: float) -> None:
    with process(tmp_path, *FREE) as hub:
        time.sleep(delay_s)  # not waiting for anything: any moment must do
        hub.send_signal(signal.SIGTERM)

        assert hub.wait(PATIENCE_S) in (0, -signal.SIGTERM)  # the latter before Python reached the first line of ours


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    with process(tmp_path, *FREE, "--with-parent") as hub:
        said(hub)
        assert hub.stdin is not None
        hub.stdin.close()

        assert hub.wait(PATIENCE_S) == 0


def test_a_port_in_use_is_one_line_and_status_74(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with process(tmp_path, "--port", str(port), "--tls-port", "0", "--no-advertise") as hub:
            assert hub.wait(PATIENCE_S) == 74
            assert hub.stderr is not None
            lines = [line for line in hub.stderr.read().splitlines() if "certificate made" not in line]

    assert len(lines) == 1
    assert str(port) in lines[0]
    assert "hub.port" in lines[0]


def test_a_port_that_becomes_free_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        starting = process(tmp_path, "--port", str(port), "--tls-port", "0", "--no-advertise")
        with starting as hub:
            while not (tmp_path / "hub-id").exists():  # it is about to listen
                assert hub.poll() is None
                time.sleep(0.01)
            taken.close()
            assert said(hub)["port"] == port


def test_sessions_are_kept_where_it_is_told(tmp_path: Path) -> None:
    database = tmp_path / "elsewhere" / "jam.sqlite"
    with process(tmp_path / "state", *FREE, "--database", str(database)) as hub:
        url = f"http://127.0.0.1:{said(hub)['port']}/rest/v1/sessions"
        request = urllib.request.Request(url, b'{"id": "ABC123"}', {"apikey": "any"})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            assert answer.status == 201
        hub.terminate()
        assert hub.wait(PATIENCE_S) == 0

    with closing(sqlite3.connect(database)) as kept:
        assert kept.execute("SELECT id FROM sessions").fetchall() == [("ABC123",)]
    assert not (tmp_path / "state" / "sessions.sqlite").exists()


def test_it_ends_at_once_though_the_database_is_locked_and_clients_are_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        with process(tmp_path, *FREE) as hub:
            here = Here(said(hub)["port"])
            async with Player.connected(here) as player, Member.joined(here, "a") as member:
                await player.create()
                await player.say("state:tempo-change", tempo=77)
                with closing(sqlite3.connect(tmp_path / "sessions.sqlite", isolation_level=None)) as other:
                    other.execute("BEGIN EXCLUSIVE")
                    hub.send_signal(signal.SIGTERM)
                    assert await member.closed() == 1012
                    assert hub.wait(PATIENCE_S) == 0

    asyncio.run(scenario())


def test_a_room_that_only_the_hub_keeps_survives_its_being_killed(tmp_path: Path) -> None:
    def kept() -> list[str]:
        with closing(sqlite3.connect(tmp_path / "sessions.sqlite")) as database:
            return [state for (state,) in database.execute("SELECT state FROM live")]

    async def scenario() -> None:
        with process(tmp_path, *FREE) as hub:
            async with Player.connected(here := Here(said(hub)["port"])) as player:
                code = await player.create()
                await player.say("state:tempo-change", tempo=201)
                await until(lambda: any('"tempo":201' in state for state in kept()))
                hub.kill()
        with process(tmp_path, *FREE) as hub:
            async with Player.connected(here := Here(said(hub)["port"])) as player, Member.connected(here) as member:
                await player.join(code)
                assert await player.heard("state:tempo-change") == {"tempo": 201}
                topic = f"realtime:room:{code}"
                await member.join("a", topic=topic)
                await member.push("broadcast", {"type": "broadcast", "event": "state-request", "payload": {}}, topic)
                assert (await member.heard("state-sync"))["state"]["tempo"] == 201

    asyncio.run(scenario())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_state_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with process(tmp_path, *FREE) as hub:
        assert hub.wait(PATIENCE_S) == 77


def test_a_state_directory_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with process(tmp_path / "file", *FREE) as hub:
        assert hub.wait(PATIENCE_S) == 74
        assert hub.stderr is not None
        assert "state directory" in hub.stderr.read()


def test_with_a_parent_its_log_lines_are_like_the_daemons(tmp_path: Path) -> None:
    line = r"\d\d:\d\d:\d\d I jambridge\.hub\.certificate: certificate made .*\n"
    with process(tmp_path, *FREE, "--with-parent") as hub:
        assert hub.stderr is not None
        assert re.fullmatch(line, hub.stderr.readline())


@pytest.mark.parametrize(
    "options",
    [("--port", "70000"), ("--tls-port", "-1"), ("--port", "\u0663"), ("--max-members", "0"), ("--nonsense",)],
)
def test_impossible_options_are_one_line_and_status_64(tmp_path: Path, options: tuple[str, ...]) -> None:
    with process(tmp_path, *options) as hub:
        assert hub.wait(PATIENCE_S) == 64
        assert hub.stderr is not None
        (line,) = hub.stderr.read().splitlines()

    assert options[0] in line


def test_without_a_state_directory_it_takes_the_daemons(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jambridge.hub", "--bind", "127.0.0.1", *FREE]
    surroundings = os.environ | {"STATE_DIRECTORY": str(tmp_path / "daemon")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=surroundings) as hub:
        kept = said(hub)["hub_id"]
        hub.terminate()

    assert (tmp_path / "daemon" / "hub-id").read_text().strip() == kept


def test_on_a_terminal_it_says_what_to_open(tmp_path: Path) -> None:
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "jambridge.hub", "--state-dir", str(tmp_path), "--bind", "127.0.0.1", *FREE]
    with open(ours) as terminal, subprocess.Popen(command, stdout=its) as hub:  # noqa: PTH123  a descriptor
        os.close(its)
        port = json.loads(terminal.readline())["tls_port"]
        assert f"https://127.0.0.1:{port}/" in terminal.readline()
        hub.terminate()


def test_an_id_that_cannot_be_kept_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "hub-id").mkdir()
    with process(tmp_path, *FREE) as hub:
        assert hub.wait(PATIENCE_S) == 74

    assert [file.name for file in tmp_path.iterdir()] == ["hub-id"]


def test_of_two_that_came_up_together_the_lower_id_stays(tmp_path: Path) -> None:
    ports = ("--port", "0", "--tls-port", "0", "--advertise")
    with (
        process(tmp_path / "low", *ports, "--hub-id", f"0000{secrets.token_hex(6)}") as low,
        process(tmp_path / "high", *ports, "--hub-id", f"zzzz{secrets.token_hex(6)}") as high,
    ):
        said(low)
        assert high.wait(PATIENCE_S) == 75
        assert low.poll() is None
        low.terminate()
        assert low.wait(PATIENCE_S) == 0


def test_it_imports_nothing_of_sound_and_of_other_rooms() -> None:
    heavy = ["aiortc", "av", "numpy", "scipy", "pydantic", "supabase", "realtime", "rich", "typer"]
    program = "import sys, jambridge.hub.process, jambridge.hub.server, jambridge.hub.advertising; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert not set(heavy) & set(loaded)
