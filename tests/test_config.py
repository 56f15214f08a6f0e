"""Configuration: every problem at once, each with its line."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge import config_sources, sections
from jambridge.commands import options
from jambridge.config import Config
from jambridge.errors import ConfigError
from jambridge.identity import Identity
from jambridge.peers.ice_servers import Server
from jambridge.peers.roles import MIDI
from jambridge.units import RoomCode

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
    ("controllers", "reason"),
    [
        ("{name: Stage}, {name: stage}", "controllers[0] and [1] have the same name, stage"),
        (
            "{mac: 'AA:BB:CC:00:11:22'}, {name: x}, {mac: aabbcc001122}",
            "controllers[0] and [2] have the same mac, aabbcc001122",
        ),
        ("{host: 10.0.0.1}, {host: 10.0.0.1}", "controllers[0] and [1] have the same host, 10.0.0.1:80"),
        ("{pixels: 30}", "controllers[0] has neither name nor mac nor host"),
    ],
)
def test_a_controller_is_named_once(controllers: str, reason: str) -> None:
    assert problems(f"light: {{controllers: [{controllers}]}}") == [f"config.yaml:1: light.controllers: {reason}"]


def test_two_at_one_address_differ_by_port() -> None:
    text = "light: {controllers: [{host: 10.0.0.1}, {host: 10.0.0.1, http_port: 81}]}"
    assert len(config_sources.build(config_sources.from_yaml(text, "c")).light.controllers) == 2


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


@pytest.mark.parametrize(
    ("midi", "says_so"),
    [
        ("{}", True),
        ("{inputs: none, outputs: none}", True),
        ("{receive: false}", True),
        ("{receive: false, inputs: none}", False),
        ("{receive: false, forward: false}", False),
    ],
)
def test_a_box_that_plays_or_shows_what_others_play_over_midi_says_so(midi: str, says_so: bool) -> None:
    config = config_sources.build(config_sources.from_yaml(f"midi: {midi}", "c"))
    me = sections.member(config, Identity("0" * 16, "Box", RoomCode("ABC123")), sends=False)

    assert (MIDI in me.capabilities) == says_so


def test_environment_wins_over_the_file_and_flags_over_both() -> None:
    file = config_sources.from_yaml("hub: {port: 1, tls_port: 2}\nroom: {code: abc123}", "c")
    environment = config_sources.from_environment({"JAMBRIDGE_HUB__PORT": "5", "JAMBRIDGE_ROOM__CODE": "OLD123"})
    flags = config_sources.from_flags({("room", "code"): ("--room", "new 123"), ("identity", "name"): ("--name", None)})

    config = config_sources.build(file, environment, flags)

    assert (config.hub.port, config.hub.tls_port, config.room.code) == (5, 2, "NEW123")


SENTENCES = """\
identity:
  name: ""
  instrument: "a\\tb"
hub: {port: 3080, tls_port: 3080}
audio: {block_frames: many, master_volume: loud, send: perhaps}
light:
  controllers: 5
midi:
  channels: 3
"""


def test_every_problem_is_a_sentence_of_ours() -> None:
    assert problems(SENTENCES) == [
        "config.yaml:2: identity.name: must not be empty",
        "config.yaml:3: identity.instrument: must not have control characters or line breaks in it",
        "config.yaml:4: hub.tls_port: 3080 is hub.port as well: each takes a port of its own",
        'config.yaml:5: audio.send: must be true or false, not "perhaps"',
        'config.yaml:5: audio.block_frames: must be a whole number, not "many"',
        'config.yaml:5: audio.master_volume: must be a number, not "loud"',
        "config.yaml:7: light.controllers: must be a list, as [5]",
        "config.yaml:9: midi.channels: must be a section with keys, not 3",
    ]
    assert problems(f"identity: {{name: {65 * 'a'}}}") == [
        "config.yaml:1: identity.name: must have at most 64 characters"
    ]
    assert problems("light: {controllers: [{mac: here}]}") == [
        'config.yaml:1: light.controllers[0].mac: must be a MAC address, as a4:cf:12:34:56:78, not "here"'
    ]


@pytest.mark.parametrize("name", ["two\nlines", "bell\a", "\x1b[31mred", "para\u2029graph", "   "])
def test_a_name_is_one_line_that_can_be_printed(name: str) -> None:
    with pytest.raises(ConfigError, match="--name: identity.name: must not"):
        config_sources.build(config_sources.from_flags({("identity", "name"): ("--name", name)}))


@pytest.mark.parametrize(
    ("text", "key"),
    [("hub: {port: 3080}", "hub.port"), ("hub: {tls_port: 3080}", "hub.tls_port"), ("http: {port: 3001}", "hub.port")],
)
def test_the_status_and_the_hub_take_ports_of_their_own(text: str, key: str) -> None:
    (problem,) = problems(text)
    assert problem.endswith(f"is {key} as well: each takes a port of its own")


def test_ports_that_the_system_chooses_and_those_of_a_hub_that_is_off_are_nobodys() -> None:
    for text in ("hub: {port: 0, tls_port: 0}\nhttp: {port: 0}", "hub: {mode: off, port: 3080}"):
        assert config_sources.build(config_sources.from_yaml(text, "c"))


def test_a_wrong_variable_is_told_by_its_name() -> None:
    with pytest.raises(ConfigError, match="JAMBRIDGE_HUB__PORT: hub.port: must be"):
        config_sources.build(config_sources.from_environment({"JAMBRIDGE_HUB__PORT": "70000"}))


def test_secrets_are_masked_and_everything_else_is_shown() -> None:
    config = config_sources.build(config_sources.from_environment({"VITE_SUPABASE_ANON_KEY": "eyJsecret"}))
    shown = config_sources.dump(config)
    assert "eyJsecret" not in shown
    assert "****" in shown
    assert "master_volume: 0.8" in shown


ICE = """\
webrtc:
  ice_servers:
    - stun:stun.example.org
    - turn://turn.example.org
    - {urls: "turn:turn.example.org"}
    - urls:
        - turns:turn.example.org?transport=udp
      username: band
      credential: opensesame
    - {urls: "turn:turn.example.org", usrname: band, credential: opensesame}
    - {urls: "turn:turn.example.org", credential: opensesame}
    - {urls: "turn:turn.example.org", username: band, credential: opensesame, secret_file: /x}
    - {urls: "turn:turn.example.org", username: band, credential: 12345678}
    - turn:band:opensesame@turn.example.org
    - 3
    - {username: band, credential: opensesame}
"""


def test_every_server_that_makes_no_sense_is_told_with_its_line_and_without_its_secret() -> None:
    at = "webrtc.ice_servers"
    assert problems(ICE) == [
        f"config.yaml:4: {at}[1]: turn://turn.example.org: write it without //, as turn:turn.example.org:3478",
        (
            f"config.yaml:5: {at}[2]: turn:turn.example.org takes credentials:"
            " username and credential (or credential_file), or secret_file"
        ),
        (
            f"config.yaml:6: {at}[3].urls: turns:turn.example.org?transport=udp:"
            " ?transport=udp: the transport of turns: is tcp"
        ),
        f"config.yaml:10: {at}[4].usrname: unknown key (did you mean 'username'?)",
        f"config.yaml:11: {at}[5]: turn:turn.example.org takes a username as well",
        f"config.yaml:12: {at}[6]: credential and secret_file exclude each other",
        f'config.yaml:13: {at}[7].credential: must be text: write it in quotes, as "…"',
        f"config.yaml:14: {at}[8]: turn.example.org: username and credential stand beside the URL, not in it",
        f"config.yaml:15: {at}[9]: must be a section with keys, not …",
        f"config.yaml:16: {at}[10]: urls is missing",
    ]


def test_a_relay_that_must_be_used_must_be_there() -> None:
    assert problems("webrtc: {policy: relay}") == [
        "config.yaml:1: webrtc: policy relay takes a TURN server among ice_servers"
    ]


TURN = """\
supabase: {url: "https://x.supabase.co"}
webrtc:
  ice_servers:
    - stun:stun.example.org
    - {urls: ["turn:turn.example.org", "turns:turn.example.org"], username: band, credential: opensesame}
"""


def test_servers_are_shown_as_they_were_written_but_for_their_credentials() -> None:
    shown = config_sources.dump(config_sources.build(config_sources.from_yaml(TURN, "c")))
    assert "opensesame" not in shown
    assert "- stun:stun.example.org\n  - urls:\n    - turn:turn.example.org\n    - turns:" in shown
    assert "credential: '****" in shown


def built(text: str) -> list[Server]:
    return sections.ice_servers(config_sources.build(config_sources.from_yaml(text, "c")))


def test_servers_are_used_in_hosted_rooms_and_in_a_lan_room_only_where_a_relay_must_be() -> None:
    assert [server.url.text for server in built(TURN)] == [
        "stun:stun.example.org",
        "turn:turn.example.org",
        "turns:turn.example.org",
    ]
    assert {server.credential for server in built(TURN)[1:]} == {"opensesame"}
    local = TURN.partition("\n")[2]
    assert built(local) == []
    assert len(built(local + "  policy: relay")) == 3


def test_a_secret_is_read_from_a_file_that_not_everybody_can_read(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    text = f"""\
supabase: {{url: "https://x.supabase.co"}}
webrtc: {{ice_servers: [{{urls: "turn:t", secret_file: "{file}"}}]}}
"""
    for room in (text, text.partition("\n")[2]):  # at Supabase, and on the local network, where it is not used
        with pytest.raises(ConfigError, match=r"webrtc.ice_servers\[0\].secret_file: .*: No such file or directory"):
            built(room)
    file.write_text("north\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"everybody on this machine can read it: chmod o= "):
        built(text)
    file.chmod(0o640)
    assert [server.secret for server in built(text)] == ["north"]
    file.write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        built(text)


def test_a_file_with_a_credential_in_it_is_not_for_everybody(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(TURN)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="everybody on this machine can read the credential in it"):
        options.configuration(file)
    file.chmod(0o600)
    assert options.configuration(file).webrtc.ice_servers[1].username == "band"


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


@pytest.mark.parametrize(
    "webrtc",
    [
        "ice_servers: {urls: turn:a, username: u, credential: hunter2}",
        "ice_servers: [[turn:a, u, hunter2]]",
        "ice_servers: [{urls: {turn:a: hunter2}}]",
        "ice_servers: [{urls: turn:a, username: [u, hunter2]}]",
        "ice_servers: turn:u:hunter2@a",
        "[{credential: hunter2}]",
    ],
)
def test_what_may_be_a_password_is_never_repeated(webrtc: str) -> None:
    text = f"webrtc: {webrtc}" if webrtc.startswith("[") else f"webrtc:\n  {webrtc}"
    with pytest.raises(ConfigError) as caught:
        config_sources.build(config_sources.from_yaml(text, "config.yaml"))
    assert "hunter2" not in str(caught.value)
