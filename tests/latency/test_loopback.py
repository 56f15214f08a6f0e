"""Over a cable: what both measurements say together, and on real drivers with one that is known."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from jambridge import identity
from jambridge.config import AudioConfig
from jambridge.errors import DeviceError
from jambridge.latency import cable as both_cards
from jambridge.latency import history, loopback
from jambridge.latency.cable import RoundTrip
from jambridge.latency.chain import Circles
from jambridge.latency.chirp import Echo
from tests.fakes.jack import Jack, jack
from tests.fakes.sound_card import SoundCard, sound_card
from tests.latency.cable import NAME, cable

CARDS = RoundTrip("in", "out", [5.0, 5.1, 5.2], 3, 0.9, 48_000, 128)
FRAME_MS = 1000 / 48_000
PACKET_MS = 6.0  # 3.5 to fill it, beyond the block that fills with it, and a look-ahead of 2.5
ORDER_MS = 1.0  # within a period of JACK, one client waits for the other
BUSY_MS = 150.0  # how late sound may be where eight other programs want the two cores


def circles(*positions: int | None) -> Circles:
    echoes = [None if position is None else Echo(position, 0.4) for position in positions]
    return Circles(echoes, [6.0] * len(echoes), packet_frames=240, missed=0)


def test_the_rest_is_what_neither_card_nor_packet_nor_buffer_explains() -> None:
    measured = loopback.compose(CARDS, circles(960, None, 970, 980), AudioConfig())

    stages = {stage.name: stage.ms for stage in measured.way.stages}
    total_ms = 970 * FRAME_MS
    assert stages == {
        "cards": pytest.approx(5.1),
        "packet": PACKET_MS,
        "jitter buffer": 6.0,
        "rest": pytest.approx(total_ms - 5.1 - PACKET_MS - 6.0),
    }
    assert measured.way.sum_ms == pytest.approx(total_ms)
    assert (len(measured.totals_ms), measured.played) == (3, 4)


def test_a_long_rest_is_the_systems_own() -> None:
    remedy = loopback.compose(CARDS, circles(4800, 4800), AudioConfig()).way.remedy

    assert remedy is not None
    assert "real-time priority" in remedy


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        (circles(*[1000] * 13, *[None] * 5), "only 13 of 18 chirps came back; is the machine busy?"),
        (circles(*[600] * 10), "the stages are 5 ms more than the whole; is the machine busy?"),
    ],
)
def test_of_what_cannot_be_relied_on_there_is_no_verdict_but_the_reason(heard: Circles, why: str) -> None:
    way = loopback.compose(CARDS, heard, AudioConfig()).way

    assert way.verdict == "not reliable"
    assert way.remedy is None
    assert way.doubt is not None
    assert way.doubt.startswith(why)
    assert history.series([history.entry("", [way])]) == []
    reliable = loopback.compose(CARDS, circles(*[1000] * 17, None), AudioConfig()).way
    assert (reliable.verdict, reliable.doubt) == ("good", None)


@pytest.mark.parametrize("few", [circles(960, None, None), circles()])
def test_too_few_chirps_are_no_measurement(few: Circles) -> None:
    with pytest.raises(DeviceError, match="chirps came back"):
        loopback.compose(CARDS, few, AudioConfig())


@pytest.fixture(scope="module")
def server() -> Iterator[Jack]:
    with jack() as running:
        yield running


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[SoundCard]:
    """A card whose line-out goes into its own line-in."""
    with sound_card(tmp_path / "wired", "wired") as card:
        yield card


def environment(card: SoundCard, directory: Path) -> dict[str, str]:
    pulse = f'type pulse server "unix:{directory}/wired/socket" device'
    config = directory / "wired.conf"
    config.write_text(
        "</usr/share/alsa/alsa.conf>\n"
        f'pcm.{card.name} {{ type asym\n  playback.pcm {{ {pulse} "in" }}\n  capture.pcm {{ {pulse} "in.monitor" }}\n'
        f'  hint {{ show on description "{card.name}" }} }}\n'
    )
    return {"ALSA_CONFIG_PATH": str(config)}


def settings(state: Path, card: str) -> dict[str, str]:
    cards = {"JAMBRIDGE_AUDIO__INPUT": card, "JAMBRIDGE_AUDIO__OUTPUT": card}
    return {"JAMBRIDGE_STATE": str(state), "JAMBRIDGE_CONFIG": os.devnull, "JAMBRIDGE_HTTP__PORT": "9", **cards}


def run(
    *arguments: str,
    state: Path,
    card: str = "none",
    env: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-m", "jambridge", "latency", *arguments],
        env={**os.environ, **settings(state, card), **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def measure(state: Path, card: str, env: Mapping[str, str]) -> dict[str, Any]:
    done = run("--loopback", "--seconds", "5", "--json", state=state, card=card, env=env)
    assert done.returncode == 0, done.stderr
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


@pytest.mark.slow
def test_a_longer_cable_is_measured_to_the_sample(server: Jack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    found = []
    for frames in (0, 1000):
        with cable(server, frames, gain=0.25):
            found.append(asyncio.run(both_cards.measure(AudioConfig(input=NAME, output=NAME))))

    short, long = (float(np.median(one.delays_ms)) for one in found)
    assert short == pytest.approx(0, abs=ORDER_MS)
    assert long - short == pytest.approx(1000 * FRAME_MS, abs=ORDER_MS / 2)
    for one in found:
        assert len(one.delays_ms) == one.played
        assert one.gain == pytest.approx(0.25, abs=0.01)
        assert (one.rate_hz, one.block_frames) == (48_000, 128)


def test_the_whole_chain_on_jack_is_measured_and_kept(server: Jack, tmp_path: Path) -> None:
    with cable(server, 480):
        measured = measure(tmp_path, NAME, server.environment)

    (way,) = measured["ways"]
    stages = {stage["name"]: stage["ms"] for stage in way["stages"]}
    assert stages["cards"] == pytest.approx(10, abs=ORDER_MS)
    assert stages["packet"] == PACKET_MS
    assert PACKET_MS + stages["cards"] < way["sum_ms"] < BUSY_MS
    assert stages["rest"] == pytest.approx(2, abs=8)  # the stages explain what was measured
    assert measured["total_ms"]["p50"] == pytest.approx(way["sum_ms"], abs=0.02)  # both are rounded
    assert measured["heard"] > measured["played"] / 2
    (kept,) = history.read(tmp_path)
    assert kept["ways"][0]["sum_ms"] == way["sum_ms"]


@pytest.mark.slow
def test_a_loud_cable_does_not_howl(server: Jack, tmp_path: Path) -> None:
    with cable(server, 0, gain=3.0):
        measured = measure(tmp_path, NAME, server.environment)

    assert measured["cable_gain_db"] == pytest.approx(9.5, abs=0.5)
    assert measured["heard"] > measured["played"] / 2


@pytest.mark.slow
def test_the_whole_chain_on_a_sound_server_is_measured(wired: SoundCard, tmp_path: Path) -> None:
    measured = measure(tmp_path, "wired", environment(wired, tmp_path))

    assert measured["input"] == measured["output"] == "wired"
    assert measured["cable_gain_db"] == pytest.approx(0, abs=0.5)
    assert measured["heard"] > measured["played"] / 2
    assert measured["total_ms"]["p50"] > measured["cards_ms"]["p50"] + PACKET_MS


def test_without_a_cable_a_sentence_says_so(server: Jack, tmp_path: Path) -> None:
    done = run("--loopback", state=tmp_path, card="system", env=server.environment)

    assert done.returncode == 74
    assert "nothing of what system plays is heard at system: connect line-out with line-in" in done.stderr
    assert "connect jambridge-plays:out_* with jambridge-hears:in_*, and when these are gone, jambridge" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_machine_without_a_network_cannot_reach_itself(server: Jack, tmp_path: Path) -> None:
    with cable(server, 0):
        done = run("--loopback", state=tmp_path, card=NAME, env=server.environment, before=("unshare", "--net"))

    assert done.returncode == 69
    assert "two peers on this machine do not reach each other" in done.stderr
    assert history.read(tmp_path) == []


@pytest.mark.slow
def test_a_measurement_that_is_stopped_leaves_no_process_behind(server: Jack, tmp_path: Path) -> None:
    with cable(server, 0):
        process = subprocess.Popen(
            [sys.executable, "-m", "jambridge", "latency", "--loopback", "--seconds", "60"],
            env={**os.environ, **settings(tmp_path, NAME), **server.environment},
            stderr=subprocess.DEVNULL,
        )
        server.await_ports("^jambridge-out:")
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(10)
        _, left = psutil.wait_procs(family, 10)

    assert len(family) > 1
    assert left == []


def test_a_card_that_is_not_there_is_said_with_those_that_are(server: Jack, tmp_path: Path) -> None:
    done = run("--loopback", state=tmp_path, card="Scarlett", env=server.environment)

    assert done.returncode == 74
    assert "'Scarlett'" in done.stderr
    assert "there are: system" in done.stderr


def test_a_daemon_that_holds_the_cards_is_to_be_stopped(tmp_path: Path) -> None:
    with identity.claimed(tmp_path):
        done = run("--loopback", state=tmp_path)

    assert done.returncode == 74
    assert "stop it first" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 69, "is it running?"),
        (["--loopback"], 74, "must both name a card"),
        (["--loopback", "--history"], 64, "either --loopback or --history"),
        (["--history"], 0, "Nothing was measured yet"),
        (["--history", "--json"], 0, "[]"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_measured_is_said_in_one_line(
    arguments: list[str], status: int, said: str, tmp_path: Path
) -> None:
    done = run(*arguments, state=tmp_path)

    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
