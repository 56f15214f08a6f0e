"""Reading a session: what is whole is kept to the letter, what is damaged falls back and is named."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.store import session
from jambridge.strict_json import JsonObject
from tests.store.golden import GOLDEN, GUITAR, MUSIC, PIANO
from tests.store.test_record import states, values


def test_a_session_is_read_and_given_back_as_it_was() -> None:
    state = session.parse(GOLDEN)

    assert (state.music.tempo, state.music.key, state.music.scale, state.music.color_mode) == (
        140,
        "D",
        "minor",
        "harmonic",
    )
    assert [module.instance_id for module in state.studio.loaded_modules] == ["piano-1", "guitar-1"]
    assert state.hardware.midi.input_device == "MIDI Keyboard"
    assert (state.problems, state.modules_damaged) == ((), False)
    assert state.to_json() == GOLDEN


BLOCKS = ("music", "studio", "hardware", "metadata")


@given(
    unknown=states,
    where=st.sampled_from([(), *((name,) for name in BLOCKS), ("hardware", "midi"), ("hardware", "wled")]),
)
def test_unknown_keys_are_kept_at_every_level(unknown: JsonObject, where: tuple[str, ...]) -> None:
    state: JsonObject = {name: dict(GOLDEN[name]) for name in BLOCKS}
    state["hardware"] = {name: dict(block) for name, block in GOLDEN["hardware"].items()}
    block = state
    for name in where:
        block = block[name]
    block.update({f"x-{key}": value for key, value in unknown.items()})

    assert session.parse(state).to_json() == state


def test_unknown_keys_of_a_module_are_kept() -> None:
    module = {**PIANO, "zoom": 2, "settings": {**PIANO["settings"], "deep": [{"er": None}]}}
    state = {**GOLDEN, "studio": {"loadedModules": [module, GUITAR], "activeModuleId": None}}

    assert session.parse(state).to_json() == state


@pytest.mark.parametrize("state", [{"invalid": True}, {}, {"music": 5}, {"music": None, "tempo": 120}, {"key": "C"}])
def test_what_is_no_session_is_refused(state: JsonObject) -> None:
    with pytest.raises(WireError):
        session.parse(state)


def test_a_flat_row_of_an_older_app_is_read_as_its_music() -> None:
    state = session.parse({"tempo": 95, "isPlaying": True, "theme": "dark"})

    assert (state.music.tempo, state.music.is_playing, state.music.key) == (95, True, "C")
    assert state.to_json() == {"music": {"tempo": 95, "isPlaying": True}, "theme": "dark"}


@pytest.mark.parametrize(
    ("key", "value", "default"),
    [
        ("tempo", 39.9, 120),
        ("tempo", 301, 120),
        ("tempo", True, 120),
        ("tempo", "140", 120),
        ("key", "H", "C"),
        ("key", "D\n", "C"),
        ("scale", "", "major"),
        ("scale", "x" * 33, "major"),
        ("scale", "a\nb", "major"),
        ("colorMode", "rainbow", "chromatic"),
        ("masterVolume", 1.1, 0.8),
        ("isPlaying", 1, False),
    ],
)
def test_a_damaged_field_of_the_music_falls_back_alone(key: str, value: object, default: object) -> None:
    state = session.parse({"music": {**MUSIC, key: value}})

    assert state.to_json()["music"][key] == default
    assert state.problems == (f"music.{key}",)
    assert not state.modules_damaged


@pytest.mark.parametrize(
    "studio",
    [
        {"loadedModules": [PIANO, {"label": "nameless"}]},
        {"loadedModules": [PIANO, 7]},
        {"loadedModules": [PIANO, {**GUITAR, "settings": "loud"}]},
        {"loadedModules": [PIANO], "activeModuleId": 7},
        {"loadedModules": [PIANO] * 257},
    ],
)
def test_modules_that_can_be_read_are_and_the_others_are_said(studio: JsonObject) -> None:
    state = session.parse({"music": MUSIC, "studio": studio})

    assert state.studio.loaded_modules[0].settings == PIANO["settings"]
    assert state.modules_damaged


@pytest.mark.parametrize("studio", [5, "", [], {"loadedModules": "many"}])
def test_a_damaged_studio_is_said(studio: object) -> None:
    state = session.parse({"music": MUSIC, "studio": studio})

    assert (state.studio.loaded_modules, state.modules_damaged) == ((), True)
    assert state.music.tempo == 140


@given(st.dictionaries(st.sampled_from([*BLOCKS, "tempo", "isPlaying", "x"]), values, max_size=6))
def test_any_state_is_a_session_or_a_wire_error(state: dict[str, Any]) -> None:
    with contextlib.suppress(WireError):
        parsed = session.parse(state)
        assert 40 <= parsed.music.tempo <= 300
        assert session.parse(parsed.to_json()).problems == ()


@given(values, st.sampled_from(["loadedModules", "activeModuleId"]))
def test_any_studio_is_read_without_the_rest_of_the_session(value: object, key: str) -> None:
    assert session.parse({"music": MUSIC, "studio": {key: value}}).music.tempo == 140


@pytest.mark.parametrize(
    ("state", "number"),
    [({}, None), ({"metadata": 5}, None), ({"metadata": {"revision": True}}, None), (GOLDEN, 1)],
)
def test_the_revision_is_a_number_or_none(state: JsonObject, number: int | None) -> None:
    assert session.revision(state) == number
