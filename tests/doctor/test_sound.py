"""PortAudio is really missing, and cards are really opened; one that is busy is told of in the daemon's own words."""

import time
from pathlib import Path

import pytest

from jambridge.doctor.finding import Finding, Verdict
from jambridge.doctor.judge import sound
from jambridge.doctor.judge.sound import CardUse
from tests.doctor.look import look
from tests.fakes.jack import jack
from tests.fakes.sound_card import sound_card
from tests.fakes.worlds import ROOT, without_portaudio


def config_in(directory: Path, audio: str = "{}") -> Path:
    config = directory / "config.yaml"
    config.write_text(f"http: {{port: 9}}\naudio: {audio}\n")
    return config


@ROOT
def test_a_missing_portaudio(tmp_path: Path) -> None:
    found = look(config_in(tmp_path), "PortAudio", "sound", before=without_portaudio())

    for name in ("PortAudio", "sound input", "sound output"):
        assert (found[name].verdict, found[name].reason) == (Verdict.FAILURE, "PortAudio is missing")
        assert found[name].remedy == "sudo apt install libportaudio2"


def test_cards_that_are_well_are_opened_for_a_moment(tmp_path: Path) -> None:
    with sound_card(tmp_path / "card", "desk") as card:
        found = look(
            config_in(tmp_path, "{input: desk, output: desk}"), "PortAudio", "sound", environment=card.environment
        )

    assert found["PortAudio"].reason == "it sees desk"
    for direction in ("input", "output"):
        assert found[f"sound {direction}"].verdict in (Verdict.GOOD, Verdict.WARNING), found
        assert "it can be opened: desk, 48 kHz" in found[f"sound {direction}"].reason


@pytest.mark.slow
def test_a_frozen_card_is_a_finding_too(tmp_path: Path) -> None:
    """Whoever lists cards hangs at it: the checks end at their deadlines, side by side."""
    with sound_card(tmp_path / "card", "desk") as card:
        card.freeze()
        began_s = time.monotonic()
        found = look(
            config_in(tmp_path, "{input: desk, output: none}"), "PortAudio", "sound", environment=card.environment
        )
        card.thaw()

    assert time.monotonic() - began_s < 80
    assert found["PortAudio"].verdict is Verdict.FAILURE
    assert found["sound"].reason.startswith("no answer within")


def test_a_card_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with jack() as server:
        found = look(config_in(tmp_path, "{input: fiddle, output: none}"), "sound", environment=server.environment)

    assert found["sound input"].reason == "no sound card with an input is called 'fiddle' (audio.input)"
    assert found["sound input"].remedy == "name one that is there, or plug it in: there are: system"
    assert found["sound output"].verdict is Verdict.NOTE


def problem(sentence: str) -> Finding:
    return sound.card(CardUse("input", None, sentence))


@pytest.mark.parametrize(
    ("sentence", "reason", "remedy"),
    [
        (
            "HDA Intel PCH: ALC269VC Analog (hw:0,0) is in use by jackd: end that, or name another card (audio.input)",
            "HDA Intel PCH: ALC269VC Analog (hw:0,0) is in use by jackd",
            "end that, or name another card (audio.input)",
        ),
        (
            "the sound card HDA: ALC269VC Analog (hw:0,0) has stopped or was unplugged",
            "the sound card HDA: ALC269VC Analog (hw:0,0) has stopped or was unplugged",
            "jambridge devices lists the cards",
        ),
        (
            "HDA: ALC269VC Analog (hw:0,0) cannot be opened (audio.input): Unanticipated host error: -9999",
            "HDA: ALC269VC Analog (hw:0,0) cannot be opened (audio.input): Unanticipated host error: -9999",
            "jambridge devices lists the cards",
        ),
        (
            "no permission for the sound cards: sudo usermod -aG audio $USER, then log in again",
            "no permission for the sound cards",
            "sudo usermod -aG audio $USER, then log in again",
        ),
    ],
)
def test_a_busy_card_names_who_holds_it_and_what_to_do(sentence: str, reason: str, remedy: str) -> None:
    found = problem(sentence)

    assert (found.verdict, found.reason, found.remedy) == (Verdict.FAILURE, reason, remedy)


def test_cards_are_judged() -> None:
    late = sound.card(CardUse("output", "desk", None, 48_000, 5.3, blocks=200, missed=9))
    still = sound.card(CardUse("output", "desk", None, 48_000, 5.3))
    used = sound.card(CardUse("output", "desk", None, 44_100, 5.3, blocks=200, by_daemon=True))

    assert (late.verdict, late.reason) == (
        Verdict.WARNING,
        "it can be opened: desk, 48 kHz, 5.3 ms; 9 of 200 blocks came too late",
    )
    assert "block_frames" in late.remedy
    assert still.verdict is Verdict.FAILURE
    assert used.reason == "jambridge uses desk, 44.1 kHz, 5.3 ms"
    assert sound.card(CardUse("output", None)).verdict is Verdict.NOTE
    assert sound.portaudio((), None).verdict is Verdict.NOTE
