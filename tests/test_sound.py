"""What may be asked of the box's own sound, and whether it is a musician at all."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from jambridge import sound
from jambridge.audio.card.desk import Fader
from jambridge.config import AudioConfig
from jambridge.errors import WireError
from jambridge.room.messages import Participant
from jambridge.sound import Sound
from jambridge.units import PeerId
from tests.fakes.sound_card import SoundCard, environment, sound_card


@pytest.fixture
def edges() -> Iterator[Sound]:
    edges = sound.edges(AudioConfig(), 0.8, is_musician=True)
    yield edges
    edges.close()


def sends(section: AudioConfig) -> bool:
    return asyncio.run(sound.sends(section))


@pytest.mark.parametrize(
    ("section", "is_musician"),
    [
        (AudioConfig(input="anything"), True),
        (AudioConfig(input="none"), False),
        (AudioConfig(input="anything", send=False), False),
    ],
)
def test_a_box_with_an_input_by_name_is_a_musician_unless_it_shall_not_send(
    section: AudioConfig, *, is_musician: bool
) -> None:
    assert sends(section) is is_musician


def test_a_box_without_a_name_is_a_musician_if_there_is_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = SoundCard(tmp_path / "absent", "absent")
    monkeypatch.setenv("ALSA_CONFIG_PATH", environment(tmp_path, absent)["ALSA_CONFIG_PATH"])
    assert not sends(AudioConfig())

    with sound_card(tmp_path / "card", "fake") as card:
        monkeypatch.setenv("ALSA_CONFIG_PATH", card.environment["ALSA_CONFIG_PATH"])
        assert sends(AudioConfig())


def test_what_is_described_can_be_changed_and_is_then_described(edges: Sound) -> None:
    wanted = {
        "masterVolume": 0.25,
        "muted": True,
        "inputMuted": True,
        "players": {"Ann": {"gain": 1.5, "muted": False}},
    }
    sound.change(edges, wanted)

    described = sound.describe(edges, {"Ann"})
    assert described == {**wanted, "absent": []}
    sound.change(edges, described)
    assert sound.describe(edges, {"Ann"}) == described
    assert edges.capture.value.is_muted
    assert edges.desk.settings.value.is_muted


def test_of_players_who_are_not_there_it_is_said_that_they_are_absent(edges: Sound) -> None:
    sound.change(edges, {"players": {"Ann": {"gain": 1.5}, "Bob": {"muted": True}}})

    assert sound.describe(edges, {"Ann", "Cid"})["absent"] == ["Bob"]
    assert edges.desk.faders["Bob"].is_muted, "they may come"


def test_what_is_not_given_stays(edges: Sound) -> None:
    sound.change(edges, {"players": {"Ann": {"gain": 1.5}}})
    sound.change(edges, {"players": {"Ann": {"muted": True}}, "masterVolume": 0})

    assert edges.desk.faders == {"Ann": Fader(1.5, is_muted=True)}
    assert edges.desk.settings.value.master_volume == 0.0
    assert not edges.desk.settings.value.is_muted


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"volume": 1},
        {"masterVolume": 1.01},
        {"masterVolume": -0.1},
        {"masterVolume": True},
        {"masterVolume": "1"},
        {"masterVolume": None},
        {"masterVolume": float("nan")},
        {"muted": 1},
        {"inputMuted": None},
        {"players": []},
        {"players": {"Ann": {}}},
        {"players": {"Ann": {"gain": 2.1}}},
        {"players": {"Ann": {"loud": 1}}},
        {"players": {"A" * 65: {"gain": 1}}},
    ],
    ids=lambda wanted: str(wanted)[:40],
)
def test_what_makes_no_sense_is_refused_with_a_reason_and_nothing_is_changed(
    edges: Sound, wanted: dict[str, object]
) -> None:
    before = sound.describe(edges, ())

    with pytest.raises(WireError, match="."):
        sound.change(edges, {"players": {"Bob": {"gain": 0.5}}, **wanted} if wanted.keys() - {"players"} else wanted)

    assert sound.describe(edges, ()) == before


def test_a_box_that_is_one_too_many_says_so_once_and_once_when_it_has_a_place(
    edges: Sound, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jambridge.sound")
    room = [
        Participant(PeerId(name), name, is_host=False, joined_at=place, sends=name != "listener")
        for place, name in enumerate(("one", "two", "listener", "me"))
    ]
    said = []
    for members in (room[-1:], room, room, [], room[1:], room[1:], room[:-1]):
        sound.note_place(edges, PeerId("me"), members, max_peers=1)
        said.append((edges.waiting.value, len(caplog.messages)))

    assert said == [(False, 0), (True, 1), (True, 1), (True, 1), (False, 2), (False, 2), (False, 2)]
    assert caplog.messages == [
        "nobody hears this box: others play already players=2",
        "this box has a place among those who play",
    ]


def test_descriptors_are_closed_with_the_edges() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    sound.edges(AudioConfig(), 0.8, is_musician=False).close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
