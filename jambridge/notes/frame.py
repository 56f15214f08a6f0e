"""What the detector says of one hop of sound. Pure."""

from dataclasses import dataclass

from jambridge.units import LocalSeconds, MidiNote

FRAME_RATE_HZ = 60
HOP_FRAMES = 800  # 48 kHz / 60


@dataclass(frozen=True, slots=True)
class Note:
    """One sounding note. `velocity` is 0..1."""

    midi: MidiNote
    frequency_hz: float
    velocity: float


@dataclass(frozen=True, slots=True)
class NoteFrame:
    """The notes sounding at the end of a hop of 1/60 s.

    `index` counts hops of this source, `captured_at` is when its last sample arrived here; `onset`: an attack began
    in this hop, certain before its pitch is.
    """

    index: int
    captured_at: LocalSeconds
    source: str
    notes: tuple[Note, ...]
    onset: bool
    level_dbfs: float
