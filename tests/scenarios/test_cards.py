"""What people are told of the sound cards, by their causes, while the room and the light go on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jambridge.errors import Text
from tests.fakes.sound_card import SoundCard, environment, sound_card
from tests.fakes.worlds import without_portaudio
from tests.scenarios import daemon as scenario_daemon
from tests.scenarios.daemon import JAMBRIDGE, Daemon, Status, open_daemon, open_wled, until
from tests.scenarios.namespaces import network
from tests.scenarios.tones import tones

pytestmark = pytest.mark.scenario

PIXELS = 60
SILENT_S = 10.0
GONE_S = 1.5  # within a second, and as long as it takes to ask


def settings(card: str | None) -> dict[str, Any]:
    return {"audio": {"input": card, "output": card}, "light": {"mode": "auto"}}


def causes(status: Status) -> dict[str, str]:
    return {alert["text"]: alert["cause"] for alert in status["alerts"]}


def card(status: Status) -> Any:
    return status["audio"]["input"]["card"]


def told(daemon: Daemon, text: Text, patience_s: float = 30.0) -> float:
    return daemon.await_status(lambda status: text in causes(status), text, patience_s)


def not_told(daemon: Daemon, text: Text, patience_s: float = 30.0) -> float:
    return daemon.await_status(lambda status: text not in causes(status), f"no more: {text}", patience_s)


@contextmanager
def box(tmp_path: Path, card: str | None, env: dict[str, str]) -> Iterator[Daemon]:
    with (
        network(2) as (host, strip),
        open_wled(strip, tmp_path, PIXELS),
        open_daemon(host, tmp_path / "box", "CARD22", settings(card), env) as daemon,
    ):
        daemon.await_ready()
        yield daemon


def goes_on(daemon: Daemon) -> None:
    """The room is joined and the strip found, and every service runs."""
    daemon.await_status(lambda status: status["room"]["connection"] == "connected", "the room goes on")
    daemon.await_status(
        lambda status: [one["state"] for one in status["light"]["controllers"]] == ["driven"], "the light goes on"
    )
    assert "Traceback" not in daemon.said()


@pytest.mark.slow
def test_a_microphone_that_gives_nothing_is_told_of_until_it_gives_something(tmp_path: Path) -> None:
    with sound_card(tmp_path / "card", "fake") as fake, box(tmp_path, "fake", fake.environment) as daemon:
        daemon.await_status(card, "the card is open")
        opened_s = time.monotonic()
        assert Text.NO_INPUT not in causes(daemon.status())
        told(daemon, Text.NO_INPUT)
        assert time.monotonic() - opened_s > SILENT_S - 2
        goes_on(daemon)

        with fake.hearing(tones(440.0, seconds=60.0)):
            daemon.await_status(lambda status: status["audio"]["input"]["level_dbfs"] > -30, "it hears")
            assert not_told(daemon, Text.NO_INPUT) < GONE_S
            assert Text.MICROPHONE not in causes(daemon.status())
        told(daemon, Text.NO_INPUT)


def test_a_card_that_is_absent_is_told_of_with_those_that_are_there(tmp_path: Path) -> None:
    absent = SoundCard(tmp_path / "absent", "absent")
    with sound_card(tmp_path / "card", "fake") as fake:
        env = environment(tmp_path, fake, absent)
        with box(tmp_path, "absent", env) as daemon:
            told(daemon, Text.MICROPHONE)
            told(daemon, Text.NO_OUTPUT)
            assert causes(daemon.status())[Text.MICROPHONE] == (
                "no sound card with an input is called 'absent' (audio.input); there are: fake"
            )
            goes_on(daemon)
            absent.plug()
            until(lambda: card(daemon.status()) == "absent", "it is found", 5.0)
            assert not_told(daemon, Text.MICROPHONE) < GONE_S
            not_told(daemon, Text.NO_OUTPUT)

            absent.unplug()
            told(daemon, Text.MICROPHONE, 3.0)
            goes_on(daemon)


def test_without_portaudio_the_room_and_the_light_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario_daemon, "JAMBRIDGE", (*without_portaudio(), *JAMBRIDGE))
    with box(tmp_path, "any", {}) as daemon:
        told(daemon, Text.MICROPHONE)
        assert causes(daemon.status())[Text.MICROPHONE] == "PortAudio is missing: sudo apt install libportaudio2"
        goes_on(daemon)
        assert not any(service["restarts"] for service in daemon.status()["services"].values())


def test_a_box_without_any_card_listens_and_has_nothing_to_tell(tmp_path: Path) -> None:
    with box(tmp_path, None, environment(tmp_path)) as daemon:
        goes_on(daemon)
        assert not {Text.MICROPHONE, Text.NO_INPUT, Text.NO_OUTPUT} & causes(daemon.status()).keys()
        assert daemon.status()["audio"]["input"]["card"] is None
