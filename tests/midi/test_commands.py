"""`jambridge midi` and MIDI in a real daemon, at a real JACK server."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from jambridge.errors import UnavailableError
from jambridge.midi.control import Settings
from jambridge.midi.described import describe
from jambridge.midi.merge import silence
from jambridge.midi.ports import NONE
from jambridge.status import view
from jambridge.strict_json import JsonObject
from tests.fakes.instrument import PERIOD_FRAMES, instrument
from tests.fakes.jack import Jack, jack
from tests.fakes.lines import until
from tests.fakes.midi_process import midi_line, passing_on, tick
from tests.fakes.ports import free_port

PATIENCE_S = 60.0
NOTE = bytes((0x90, 60, 80))


@pytest.fixture(scope="module")
def server() -> Iterator[Jack]:
    with jack(period_frames=PERIOD_FRAMES) as running:
        yield running


def started(server: Mapping[str, str], state: Path, *arguments: str, port: int = 9) -> "subprocess.Popen[str]":
    environment = {"JAMBRIDGE_STATE": str(state), "JAMBRIDGE_HTTP__PORT": str(port), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "jambridge", *arguments],
        env={**os.environ, **environment, **server},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ports_are_listed_and_those_not_used_are_marked(server: Jack, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("midi: {inputs: [organ]}")
    with instrument(server, "keys"):
        process = started(server.environment, tmp_path, "midi", "list", "--config", str(file))
        said = process.communicate(timeout=PATIENCE_S)[0].splitlines()
    assert said == [
        *("Inputs", "  keys:out  (not used)", "  'organ' is asked for and not there"),
        *("Outputs", "  keys in:in"),
    ]


def test_without_any_midi_a_line_says_so(server: Jack, tmp_path: Path) -> None:
    nobody = {**server.environment, "JACK_DEFAULT_SERVER": "nobody"}
    process = started(nobody, tmp_path, "midi", "list")
    said = process.communicate(timeout=PATIENCE_S)[1].splitlines()
    assert process.returncode == 74
    assert said == [NONE]


def test_devices_without_any_midi_are_listed_and_jack_says_nothing(server: Jack, tmp_path: Path) -> None:
    nobody = {**server.environment, "JACK_DEFAULT_SERVER": "nobody"}
    process = started(nobody, tmp_path, "devices")
    listed, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert NONE in listed.splitlines()
    assert "jack" not in said.casefold()


def test_what_an_input_sends_is_shown(server: Jack, tmp_path: Path) -> None:
    with instrument(server, "keys") as keys:
        process = started(server.environment, tmp_path, "midi", "monitor", "keys", "--json")
        server.await_ports("keys out$")
        keys.play(NOTE)
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
        assert (line["port"], line["data"], line["text"]) == ("keys:out", list(NOTE), "note on  channel 1  C4 80")


def test_panic_without_a_daemon_silences_the_outputs(server: Jack, tmp_path: Path) -> None:
    with instrument(server, "synth") as synth:
        process = started(server.environment, tmp_path, "midi", "panic")
        assert process.communicate(timeout=PATIENCE_S)[0] == "Every note has ended at synth in:in.\n"
        until(lambda: synth.messages() == silence(), "silence")


def test_panic_without_a_daemon_tells_the_outputs_that_there_are(server: Jack, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("midi: {outputs: [organ]}")
    with instrument(server, "synth"):
        process = started(server.environment, tmp_path, "midi", "panic", "--config", str(file))
        said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 69
    assert said == "no daemon answers, and no MIDI output is called 'organ'; there are: synth in:in\n"


def test_a_daemon_uses_its_ports_tells_of_them_and_panics(server: Jack, tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "config.yaml"
    nothing = {"input": "none", "output": "none"}
    settings = {"hub": {"mode": "off"}, "light": {"mode": "off", "discover": "off"}, "audio": nothing}
    file.write_text(yaml.safe_dump(settings))
    with instrument(server, "synth") as synth:
        daemon = started(server.environment, tmp_path, "run", "--config", str(file), port=port)
        try:
            section: JsonObject = {}

            def is_open() -> bool:
                try:
                    section.update(view.fetch("127.0.0.1", port)["midi"])
                except UnavailableError:
                    return False
                return bool(section["outputs"] == ["synth in:in"])

            until(is_open, lambda: str(section), PATIENCE_S)
            assert started(server.environment, tmp_path, "midi", "panic", port=port).wait(PATIENCE_S) == 0
            synth.until_heard(len(silence()))
            assert (tmp_path / "midi.running").exists()
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate(timeout=PATIENCE_S)
    assert daemon.returncode == 0
    assert not (tmp_path / "midi.running").exists()


def test_a_clock_that_comes_into_a_daemon_is_the_rooms(server: Jack, tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "config.yaml"
    nothing = {"input": "none", "output": "none"}
    follow = {"clock": "follow", "inputs": ["cable"], "outputs": "none"}
    settings = {"hub": {"mode": "off"}, "light": {"mode": "off", "discover": "off"}, "audio": nothing, "midi": follow}
    file.write_text(yaml.safe_dump(settings))
    sends = Settings(inputs=(), sends_clock=True)
    with (
        instrument(server, "cable") as cable,
        midi_line(server.environment, tmp_path / "mark", sends) as master,
    ):
        daemon = started(server.environment, tmp_path, "run", "--config", str(file), port=port)
        try:
            status: JsonObject = {}

            def look() -> JsonObject:
                with suppress(UnavailableError):
                    status.update(view.fetch("127.0.0.1", port))
                return status

            until(lambda: look().get("midi", {}).get("inputs"), lambda: str(status), PATIENCE_S)
            master.until_ports(0, 1)
            master.tell(tick(200, is_playing=True))
            pass_on = passing_on(cable)

            def follows() -> bool:
                pass_on()
                state = look()["state"]
                return 150 < state["tempo"] < 250 and state["isPlaying"] is True

            until(follows, lambda: str(status["state"]), PATIENCE_S)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate(timeout=PATIENCE_S)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"\x81\x3d\x40", "note off  channel 2  C#4 64"),
        (b"\xe0\x00\x40", "bend  channel 1  +0"),
        (b"\xb0\x40\x7f", "control  channel 1  64 127"),
        (b"\xf0\x01\xf7", "system exclusive  3 bytes"),
        (b"\xf8", "clock"),
    ],
)
def test_messages_in_words(message: bytes, words: str) -> None:
    assert describe(message) == words
