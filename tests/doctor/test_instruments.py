from pathlib import Path

from jambridge.config import MidiConfig
from jambridge.doctor.finding import Verdict
from jambridge.doctor.judge.instruments import midi
from jambridge.midi.ports import NONE, NOT_ALLOWED
from tests.doctor.look import look
from tests.fakes.jack import jack

PORTS = ["Midi Through:Midi Through Port-0 14:0", "KeyStep 37:KeyStep 37 MIDI 1 20:0"]


def test_a_machine_without_midi_and_one_with(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("http: {port: 9}\nmidi: {inputs: [piano], outputs: none}\n")
    without = look(config, "MIDI", environment={"JACK_DEFAULT_SERVER": "nobody", "JACK_NO_START_SERVER": "1"})["MIDI"]
    with jack() as server:
        there = look(config, "MIDI", environment=server.environment)["MIDI"]

    assert (without.verdict, without.reason) == (Verdict.FAILURE, NONE)
    assert "modprobe snd-seq" in without.remedy
    assert (there.verdict, there.reason) == (Verdict.FAILURE, "no input is called 'piano'")


def test_midi_is_judged() -> None:
    (used,) = midi(MidiConfig(), PORTS, PORTS, None)
    (nothing,) = midi(MidiConfig(), PORTS[:1], [], None)
    (unwanted,) = midi(MidiConfig(inputs="none", outputs="none"), [], [], NONE)
    (absent,) = midi(MidiConfig(), [], [], NONE)
    (closed,) = midi(MidiConfig(), [], [], NOT_ALLOWED)
    missing = midi(MidiConfig(inputs=["organ"], outputs=["keystep"]), PORTS, PORTS, None)

    assert (used.verdict, used.reason) == (Verdict.GOOD, PORTS[1])
    assert (nothing.verdict, nothing.reason) == (Verdict.NOTE, "no instrument is plugged in")
    assert unwanted.verdict is Verdict.NOTE
    assert absent.verdict is closed.verdict is Verdict.WARNING
    assert "modprobe" in absent.remedy and "usermod -aG audio" in closed.remedy
    assert [(one.verdict, one.reason) for one in missing] == [(Verdict.FAILURE, "no input is called 'organ'")]
    assert PORTS[1] in missing[0].remedy
