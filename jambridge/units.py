"""Units as types, and conversions between them. Pure."""

import math
from typing import NewType

Frames = NewType("Frames", int)
"""A count of samples per channel on a stream's own clock."""
LocalSeconds = NewType("LocalSeconds", float)
"""time.monotonic() of this machine; shared by all its processes."""
RoomSeconds = NewType("RoomSeconds", float)
"""The clock that a room's members share."""
PeerId = NewType("PeerId", str)
"""A member's presence key: new in each process."""
RoomCode = NewType("RoomCode", str)
MidiNote = NewType("MidiNote", int)
"""0..127, 60 is C4."""

SAMPLE_RATE_HZ = 48_000

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def hz(note: float) -> float:
    """Frequency of a (fractional) MIDI note in equal temperament, A4 = 440 Hz."""
    return 440.0 * math.exp2((note - 69.0) / 12.0)


def midi(frequency_hz: float) -> float:
    """Fractional MIDI note of a frequency above 0 Hz."""
    return 69.0 + 12.0 * math.log2(frequency_hz / 440.0)


def note_name(note: MidiNote) -> str:
    """'C4' for 60, 'D#5' for 75."""
    return f"{_NAMES[note % 12]}{note // 12 - 1}"
