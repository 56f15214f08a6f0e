"""One note from its beginning to its end. Pure."""

from dataclasses import dataclass

from jambridge.units import LocalSeconds, MidiNote


@dataclass(frozen=True, slots=True)
class Stroke:
    """`ended` is None while it sounds, `velocity` the newest, 0..1."""

    midi: MidiNote
    velocity: float
    began: LocalSeconds
    ended: LocalSeconds | None = None

    def sounds(self, now: LocalSeconds) -> bool:
        return self.ended is None or now < self.ended
