"""What is told of one playout. Pure."""

from dataclasses import dataclass

from jambridge.units import SAMPLE_RATE_HZ

_MEMORY_FRAMES = 60 * SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Report:
    """The state of one remote stream's playing; counts since its playout began."""

    depth_ms: float
    """How long packets wait here before they are heard, on average over about a second."""
    target_ms: float
    """How long they shall wait; the depth comes down to it slowly."""
    jitter_ms: float
    """How much later than the middle one the last packet comes that is to be in time, callbacks' jitter included."""
    underruns: int
    """Moments in which there was nothing to play although it was sent: it came after its deadline."""
    late: int
    """Packets that came after their deadline."""
    lost: int
    """Packets that never came."""
    recovered: int
    """Of these (and of the late), how many were heard all the same, by in-band FEC."""
    malformed: int
    """Packets that are no Opus, or of no stream."""
    concealed: float
    """Share of the last minute's sound that was made up, 0..1; pauses of the sender do not count."""
    concealed_ms: float
    """How much was made up since the start."""
    splices: int
    """Times that sound was skipped to come back to the target."""
    inserted: int
    """Times that sound was made up to wait for packets."""
    rate_ppm: float
    """How much faster than the other's card wants it, or slower, sound is played now."""


class Tally:
    """Counts, and judges each run of concealment once it is over: only then is a pause known from a loss."""

    def __init__(self) -> None:
        self.underruns = self.recovered = self.malformed = self.splices = self.inserted = 0
        self.concealed_ms = 0.0
        self._heard = self._made_up = 0.0
        self._run = 0
        self._ran_dry = False

    @property
    def concealed(self) -> float:
        return self._made_up / self._heard if self._heard else 0.0

    def played(self, frames: int, *, after_loss: bool) -> None:
        """A packet is heard; `after_loss` of others that should have been before it."""
        guilty = self._run if after_loss or self._ran_dry else 0
        self._count(frames, 0)
        self._count(guilty, guilty)
        self._run, self._ran_dry = 0, False

    def made_up(self, frames: int) -> None:
        """Concealed for want of a packet, or because of a pause."""
        self._run += frames

    def waited(self, frames: int) -> None:
        """Made up in order to play later from now on."""
        self.inserted += 1
        self._count(frames, frames)

    def was_late(self) -> None:
        """The packet that is concealed has come after all."""
        if self._run and not self._ran_dry:
            self.underruns += 1
            self._ran_dry = True

    def unreadable(self, frames: int) -> None:
        self.malformed += 1
        self._count(frames, frames)

    def _count(self, frames: int, made_up: int) -> None:
        self.concealed_ms += 1000 * made_up / SAMPLE_RATE_HZ
        kept = max(0.0, 1 - frames / _MEMORY_FRAMES)
        self._heard = kept * self._heard + frames
        self._made_up = kept * self._made_up + made_up
