"""Configuration: every problem at once, each with its line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge import config_sources
from jambridge.config import Config
from jambridge.errors import ConfigError

ROOT = Path(__file__).parents[1]

WRONG = """\
audio:
  blok_frames: 3
light:
  protocol: artnet
  controllers:
    - {name: a, pixls: 3}
    - {host: 1.2.3.4, pixels: 0}
room: {code: "x"}
lihgt: 3
hub: 4
identity:
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config_sources.build(config_sources.from_yaml(text, "config.yaml"))
    return str(caught.value).splitlines()


def test_every_problem_is_told_with_its_line_and_a_guess() -> None:
    assert problems(WRONG) == [
        "config.yaml:2: audio.blok_frames: unknown key (did you mean 'block_frames'?)",
        "config.yaml:4: light.protocol: must be 'ddp' or 'e131', not \"artnet\"",
        "config.yaml:6: light.controllers[0].pixls: unknown key (did you mean 'pixels'?)",
        "config.yaml:7: light.controllers[1].pixels: must be greater than or equal to 1, not 0",
        "config.yaml:8: room.code: Invalid room code: 'x' (six letters or digits as in ABC123, or WORD-42)",
        "config.yaml:9: lihgt: unknown key (did you mean 'light'?)",
        "config.yaml:10: hub: must be a section with keys, not 4",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("room: [", "config.yaml:1: not YAML"),
        ("- a\n- b", "section:"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("hub: {port: 1}\nhub: {port: 2}", "config.yaml:2: hub: written twice"),
        ("room: !!python/object/apply:os.system [ls]", "not YAML"),
    ],
)
def test_a_file_that_is_no_configuration_says_why(text: str, reason: str) -> None:
    assert reason in "\n".join(problems(text))


def test_off_is_understood_with_and_without_quotes() -> None:
    for text in ("light: {mode: off}", "light: {mode: 'off'}"):
        assert config_sources.build(config_sources.from_yaml(text, "c")).light.mode == "off"


def test_environment_wins_over_the_file_and_flags_over_both() -> None:
    file = config_sources.from_yaml("hub: {port: 1, tls_port: 2}\nroom: {code: abc123}", "c")
    environment = config_sources.from_environment({"JAMBRIDGE_HUB__PORT": "5", "JAMBRIDGE_ROOM__CODE": "OLD123"})
    flags = config_sources.from_flags({("room", "code"): ("--room", "new 123"), ("identity", "name"): ("--name", None)})

    config = config_sources.build(file, environment, flags)

    assert (config.hub.port, config.hub.tls_port, config.room.code) == (5, 2, "NEW123")


def test_a_wrong_variable_is_told_by_its_name() -> None:
    with pytest.raises(ConfigError, match="JAMBRIDGE_HUB__PORT: hub.port: must be"):
        config_sources.build(config_sources.from_environment({"JAMBRIDGE_HUB__PORT": "70000"}))


def test_secrets_are_masked_and_everything_else_is_shown() -> None:
    config = config_sources.build(config_sources.from_environment({"VITE_SUPABASE_ANON_KEY": "eyJsecret"}))
    shown = config_sources.dump(config)
    assert "eyJsecret" not in shown
    assert "****" in shown
    assert "master_volume: 0.8" in shown


def test_an_open_status_page_needs_a_token() -> None:
    assert "token_file" in problems("http: {bind: 0.0.0.0}")[0]


@given(st.text())
def test_any_text_is_a_configuration_or_a_config_error(text: str) -> None:
    try:
        assert isinstance(config_sources.build(config_sources.from_yaml(text, "c")), Config)
    except ConfigError as exc:
        assert str(exc)


def test_the_example_file_is_complete_and_equal_to_the_defaults() -> None:
    example = config_sources.from_yaml((ROOT / "config/jambridge.yaml").read_text(), "jambridge.yaml")
    assert config_sources.build(example) == Config()
    for section, fields in Config.model_fields.items():
        assert set(example.values[section]) == set(fields.annotation.model_fields)  # type: ignore[union-attr]


def test_the_schema_for_editors_is_the_present_one() -> None:
    assert json.loads((ROOT / "config/jambridge.schema.json").read_text()) == Config.model_json_schema()
