"""MIDI: which ports there are, and whether those asked for are among them. Pure."""

from collections.abc import Sequence

from jambridge.config import MidiConfig
from jambridge.doctor.finding import Finding, failure, good, note, quoted, warning
from jambridge.midi import choice

MIDI = "MIDI"
_UNUSED = "or midi.inputs: none and midi.outputs: none, if there is to be none"
_BRING = f"sudo modprobe snd-seq, or start JACK; {_UNUSED}"
_GROUP = f"sudo usermod -aG audio $USER, then log in again; {_UNUSED}"


def midi(section: MidiConfig, inputs: Sequence[str], outputs: Sequence[str], problem: str | None) -> list[Finding]:
    """`problem`: why there are no ports at all."""
    if not section.is_used:
        return [note(MIDI, "none is wanted (midi.inputs and midi.outputs)")]
    named = (*section.wanted_inputs, *section.wanted_outputs) != (choice.ALL, choice.ALL)
    if problem is not None:
        judge = failure if named else warning
        return [judge(MIDI, quoted(problem), _GROUP if "permission" in problem else _BRING)]
    missing = [
        failure(MIDI, f"no {direction} is called {part!r}", f"plug it in, or name one that is there: {_names(present)}")
        for direction, present, wanted in (
            ("input", inputs, section.wanted_inputs),
            ("output", outputs, section.wanted_outputs),
        )
        for part in choice.choose(present, wanted).missing
    ]
    used = {*choice.choose(inputs, section.wanted_inputs).ports, *choice.choose(outputs, section.wanted_outputs).ports}
    if missing or not used:
        return missing or [note(MIDI, "no instrument is plugged in")]
    return [good(MIDI, _names(sorted(used)))]


def _names(ports: Sequence[str]) -> str:
    return quoted(", ".join(ports)) or "none"
