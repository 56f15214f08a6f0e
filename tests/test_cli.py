"""The command line as a person types it: sentences and exit statuses."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jambridge.sim.wled import mac_of, open_sim


def run(*arguments: str, state: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jambridge", *arguments],
        env={"PATH": os.environ["PATH"], "JAMBRIDGE_STATE": str(state), "HOME": str(state), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--version"], 0, "jambridge 1."),
        (["--room", "x"], 64, "Invalid room code"),
        (["--rom", "x"], 64, "No such option"),
        (["nonsense"], 64, "No such command"),
        (["check-config", "--config", "/nowhere.yaml"], 78, "/nowhere.yaml: No such file"),
        (["check-config"], 0, "in force, but for JAMBRIDGE_HTTP__PORT: nothing to complain about"),
        (["status"], 69, "is it running?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_said_in_one_line(arguments: list[str], status: int, said: str, tmp_path: Path) -> None:
    done = run(*arguments, state=tmp_path, JAMBRIDGE_HTTP__PORT="9")
    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_there_at_once(tmp_path: Path) -> None:
    def took_s() -> float:
        began = time.monotonic()
        assert run("--version", state=tmp_path).returncode == 0
        return time.monotonic() - began

    assert min(took_s() for _ in range(5)) <= 0.3


def test_a_wrong_file_stops_the_daemon_with_every_problem(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("light: {protocol: artnet}\nhub: {prt: 1}\n")
    done = run("run", "--config", str(file), state=tmp_path)
    assert done.returncode == 78
    assert done.stderr.splitlines() == [
        f"{file}:1: light.protocol: must be 'ddp' or 'e131', not \"artnet\"",
        f"{file}:2: hub.prt: unknown key (did you mean 'port'?)",
    ]


def test_a_program_is_told_the_same_problems_as_json(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("light: {protocol: artnet}\nhub: {prt: 1}\n")
    wrong = run("check-config", "--json", "--config", str(file), state=tmp_path)
    assert wrong.returncode == 78
    assert json.loads(wrong.stdout) == {
        "file": str(file),
        "overrides": [],
        "problems": run("check-config", "--config", str(file), state=tmp_path).stderr.splitlines(),
    }

    well = run("check-config", "--json", state=tmp_path, JAMBRIDGE_HTTP__PORT="9")
    assert well.returncode == 0
    assert json.loads(well.stdout) == {"file": None, "overrides": ["JAMBRIDGE_HTTP__PORT"], "problems": []}


@pytest.mark.parametrize("command", ["check-config", "run"])
def test_a_secret_that_is_not_there_is_told_though_this_room_does_not_use_it(command: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text('webrtc: {ice_servers: [{urls: "turn:t", secret_file: /nix}, {urls: "turn:u", secret_file: /no}]}')
    done = run(command, "--config", str(file), state=tmp_path)
    assert done.returncode == 78
    assert done.stderr.splitlines() == [
        "webrtc.ice_servers[0].secret_file: /nix: No such file or directory",
        "webrtc.ice_servers[1].secret_file: /no: No such file or directory",
    ]


@pytest.mark.parametrize("command", ["check-config", "run"])
def test_a_token_that_cannot_be_made_is_told_before_a_start_tries(command: str, tmp_path: Path) -> None:
    done = run(command, state=tmp_path, JAMBRIDGE_HTTP__TOKEN_FILE="/dev/null/token")
    assert done.returncode == 78
    assert done.stderr.startswith("http.token_file: /dev/null/token: cannot be made")


def test_the_configuration_in_force_is_shown_without_secrets(tmp_path: Path) -> None:
    done = run("config", state=tmp_path, VITE_SUPABASE_ANON_KEY="eyJsecret", JAMBRIDGE_LIGHT__MODE="off")
    assert "eyJsecret" not in done.stdout
    assert "mode: 'off'" in done.stdout


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for that signal: proc(5), SigCgt."""
    status = Path(f"/proc/{pid}/status").read_text()
    (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(caught, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("delay_s", [0.0, 0.25, 0.5])
def test_a_signal_during_the_imports_is_a_clean_exit(delay_s: float, tmp_path: Path) -> None:
    daemon = subprocess.Popen(
        [sys.executable, "-m", "jambridge", "run"],
        env={
            "PATH": os.environ["PATH"],
            "JAMBRIDGE_STATE": str(tmp_path),
            "JAMBRIDGE_HUB__MODE": "off",
            "JAMBRIDGE_LIGHT__DISCOVER": "off",
            "JAMBRIDGE_HTTP__PORT": "0",
        },
        stderr=subprocess.PIPE,
    )
    while not catches(daemon.pid, signal.SIGTERM):
        assert daemon.poll() is None
    with contextlib.suppress(subprocess.TimeoutExpired):
        daemon.wait(delay_s)
    daemon.send_signal(signal.SIGTERM)
    _, said = daemon.communicate(timeout=10)
    assert daemon.returncode == 0, said.decode()


def test_a_pattern_is_shown_on_a_strip_and_it_is_handed_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = tmp_path / "config.yaml"
        async with asyncio.timeout(60), open_sim(30, "Stage", timeout_s=3600) as sim:
            entry = {"host": "127.0.0.1", "http_port": sim.http_port, "data_port": sim.ddp_port}
            config.write_text(json.dumps({"light": {"discover": "off", "controllers": [entry]}}))
            done = await asyncio.to_thread(run, "leds", "identify", "stage", "--config", str(config), state=tmp_path)
            await sim.until(lambda shown: not shown.live)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"Stage ({mac_of('Stage')}) at 127.0.0.1, 30 pixels: ")
        assert done.stdout.endswith(" frames sent over ddp\n")
        ends = [(shown.pixels[:3], shown.pixels[-3:]) for shown in sim.shown if shown.live]
        assert len(ends) > 60 and all(first[1] and last[0] for first, last in ends), "green first, red last"

    asyncio.run(scenario())


def test_a_pattern_on_a_strip_that_is_not_there_says_so(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("light: {discover: off, controllers: [{host: 127.0.0.1, http_port: 9}]}")
    answers = {"nothing": "no WLED called nothing was found; found: 127.0.0.1:9", "127.0.0.1:9": "does not answer"}

    def look(name: str) -> subprocess.CompletedProcess[str]:
        return run("leds", "test", name, "--config", str(config), state=tmp_path)

    with ThreadPoolExecutor() as both:  # each looks for it for five seconds
        done = dict(zip(answers, both.map(look, answers), strict=True))

    assert {name: one.returncode for name, one in done.items()} == dict.fromkeys(answers, 69)
    assert [name for name, said in answers.items() if said not in done[name].stderr] == []
