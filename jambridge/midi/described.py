"""A MIDI message in words. Pure."""

from jambridge.midi import message as midi
from jambridge.units import MidiNote, note_name

_NAMES = {
    midi.NOTE_OFF: "note off",
    midi.NOTE_ON: "note on",
    midi.KEY_PRESSURE: "key pressure",
    midi.CONTROL: "control",
    midi.PROGRAM: "program",
    midi.PRESSURE: "pressure",
    midi.BEND: "bend",
    midi.SYSEX: "system exclusive",
    midi.TIME_CODE: "time code",
    midi.SONG_POSITION: "song position",
    midi.SONG_SELECT: "song",
    midi.TUNE_REQUEST: "tune request",
    midi.CLOCK: "clock",
    midi.START: "start",
    midi.CONTINUE: "continue",
    midi.STOP: "stop",
    midi.ACTIVE_SENSING: "active sensing",
    midi.RESET: "reset",
}
_OF_A_NOTE = frozenset({midi.NOTE_OFF, midi.NOTE_ON, midi.KEY_PRESSURE})
_CENTRE = 8192


def describe(message: bytes) -> str:
    """As `note on  channel 1  C4 80`; of a system exclusive, how long it is."""
    kind = midi.kind(message)
    words = [_NAMES[kind]]
    if midi.is_channel_message(message):
        words.append(f"channel {midi.channel(message) + 1}")
    if kind in _OF_A_NOTE:
        words.append(f"{note_name(MidiNote(message[1]))} {message[2]}")
    elif kind == midi.BEND:
        words.append(f"{message[1] + (message[2] << 7) - _CENTRE:+d}")
    elif kind == midi.SYSEX:
        words.append(f"{len(message)} bytes")
    elif len(message) > 1:
        words.append(" ".join(map(str, message[1:])))
    return "  ".join(words)
