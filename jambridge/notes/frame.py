"""What the detector says of one hop of sound. Pure."""

from dataclasses import dataclass

from jambridge.units import LocalSeconds, MidiNote, midi, note_name

FRAME_RATE_HZ = 60
HOP_FRAMES = 800  # 48 kHz / 60


@dataclass(frozen=True, slots=True)
class Note:
    """One sounding note. `frequency_hz` was measured; `velocity` is 0..1."""

    midi: MidiNote
    frequency_hz: float
    velocity: float

    @property
    def name(self) -> str:
        return note_name(self.midi)

    @property
    def cents(self) -> float:
        """How far it is played above the note of equal temperament, A4 = 440 Hz."""
        return 100 * (midi(self.frequency_hz) - self.midi)


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
