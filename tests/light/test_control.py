import contextlib
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge import sections
from jambridge.audio.source import Source
from jambridge.config import Config
from jambridge.errors import WireError
from jambridge.light import control, preview
from jambridge.light.control import (
    Controllers,
    LightSettings,
    MidiPlayer,
    MidiPlayers,
    OutputReport,
    Quit,
    Report,
    SourceReport,
    Sources,
    Try,
)
from jambridge.light.effects import Style
from jambridge.light.music import Music
from jambridge.light.wled import Controller
from jambridge.light.zones import Zone
from jambridge.midi.keys import MOST, Keys
from jambridge.notes.stroke import Stroke
from jambridge.sync.clock import Course
from jambridge.typed_json import MAX_BYTES
from jambridge.units import LocalSeconds, MidiNote, PeerId

counts = st.integers(0, 10**15)
finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(codec="utf-8"), max_size=20)  # what a parser or a name lets through
sources = st.builds(Source, st.integers(0, 8), counts, text.map(PeerId), text)
controllers = st.builds(
    Controller, text, text, text, st.integers(1, 999), brightness=finite, gamma=finite, yielded=st.booleans()
)
reports = st.builds(
    Report,
    pid=counts,
    ticks=counts,
    late_ticks=counts,
    cpu_s=finite,
    detector_s=finite,
    sources=st.lists(
        st.builds(SourceReport, text, text, st.lists(st.integers(0, 127)).map(tuple), st.booleans(), finite, finite),
        max_size=3,
    ).map(tuple),
    outputs=st.lists(
        st.builds(OutputReport, text, counts, finite, counts, counts, st.none() | text),
        max_size=3,
    ).map(tuple),
)
settings = st.builds(
    LightSettings,
    mode=st.sampled_from(["local", "broadcast", "off"]),
    color_mode=st.sampled_from(["chromatic", "harmonic"]),
    brightness=finite,
    max_fps=finite,
    flashes_per_s=finite,
    threshold=st.sampled_from(["sensitive", "normal", "strict"]),
    effect=st.sampled_from(["notes", "scroll"]),
    style=st.builds(Style, st.none() | finite, st.none() | finite, st.sampled_from(["none", "brightness", "place"])),
    zones=st.lists(
        st.builds(
            Zone, text, text, counts, st.none() | counts, st.booleans(), st.booleans(), st.sampled_from([None, "roll"])
        ),
        max_size=3,
    ).map(tuple),
)
music = st.builds(Music, st.just("harmonic"), text, text, finite, st.none() | finite.map(LocalSeconds))
moments = finite.map(LocalSeconds)
strokes = st.builds(Stroke, st.integers(0, 127).map(MidiNote), finite, moments, st.none() | moments)
midi_players = st.builds(
    MidiPlayer, text.map(PeerId), text, text, st.booleans(), st.lists(strokes, max_size=3).map(tuple)
)
messages = st.one_of(
    st.lists(midi_players, max_size=3).map(tuple).map(MidiPlayers),
    st.lists(sources, max_size=5).map(tuple).map(Sources),
    st.lists(controllers, max_size=5).map(tuple).map(Controllers),
    settings,
    st.builds(Course, finite, finite, finite, finite, finite),
    st.builds(Try, controllers, st.sampled_from(["identify", "test"]), counts),
    music,
    st.just(Quit()),
    reports,
)


@given(messages)
def test_decode_undoes_encode(message: control.Message) -> None:
    assert control.decode(control.encode(message)) == message


@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_a_wire_error(packet: bytes) -> None:
    with contextlib.suppress(WireError):
        control.decode(packet)


kinds = st.sampled_from(["sources", "midi", "controllers", "settings", "quit", "report", "nonsense"])
scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=3)


@given(messages, st.data())
def test_a_value_of_another_type_is_a_wire_error_or_a_message(message: control.Message, data: st.DataObject) -> None:
    content: dict[str, Any] = json.loads(control.encode(message))
    content[data.draw(st.sampled_from(sorted(content)))] = data.draw(scalars)
    if data.draw(st.booleans()):
        content["kind"] = data.draw(kinds)

    with contextlib.suppress(WireError):
        assert isinstance(control.decode(json.dumps(content).encode()), get_args(control.Message))


@pytest.mark.parametrize("packet", [b"{}", b"[]", b'{"kind":"settings"}', b'{"kind":"quit","more":1}', b'{"kind":3}'])
def test_what_is_no_message_is_refused(packet: bytes) -> None:
    with pytest.raises(WireError):
        control.decode(packet)


def test_all_the_zones_there_may_be_fit_a_packet() -> None:
    zone = {"player": "\U0001f3b8" * 64, "controller": "\U0001f3b8" * 64, "start": 9999, "stop": 10_000}
    config = Config.model_validate({"light": {"zones": [zone] * 64}})

    assert len(control.encode(sections.light_settings(config))) < MAX_BYTES


def test_a_full_rig_fits_a_packet() -> None:
    many = Controllers(tuple(Controller(f"{mac:012x}", "\U0001f3b8" * 64, "fd00::1:2:3:4", 99) for mac in range(64)))

    assert len(control.encode(many)) < MAX_BYTES


def test_all_that_a_room_can_play_over_midi_fits_a_packet() -> None:
    keys = Keys()
    for number in range(2 * MOST):
        keys.take(bytes((0x90 | number // 128, number % 128, 99)), LocalSeconds(1e6 + number / 1e5))
    strokes = keys.strokes(LocalSeconds(1e6))
    player = MidiPlayer(PeerId("a" * 64), "\N{BUTTERFLY}" * 64, "i" * 64, False, strokes)

    packet = control.encode(MidiPlayers((player,) * 10))

    assert len(strokes) > MOST
    assert len(packet) < MAX_BYTES


def test_previews_are_passed_on_as_they_are_and_messages_are_none() -> None:
    strips = {f"{mac:012x}": "////" * preview.MOST_PIXELS for mac in range(64)}

    packet = control.encode_previews(strips)

    assert len(packet) < MAX_BYTES
    assert json.loads(control.previews(packet) or b"") == strips
    assert control.previews(control.encode(Quit())) is None
