"""What one source is heard to play: its ring read in the detectors' steps, and told to what shows it."""

import math
from collections import deque
from collections.abc import Collection
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.ring import Mono, Rings, Wake
from jambridge.audio.source import Source
from jambridge.light import presenting
from jambridge.light.control import SourceReport
from jambridge.light.effects import Part
from jambridge.light.presenting import LATEST, TICK_S, Timing
from jambridge.light.showing import FLOOR_DBFS, Showing
from jambridge.light.timeline import Timeline
from jambridge.notes.detector import Detection
from jambridge.notes.frame import HOP_FRAMES
from jambridge.units import SAMPLE_RATE_HZ, Frames, LocalSeconds

_FLASH_AGAIN_S = 0.05  # the same attack may be noticed twice
_NEVER = LocalSeconds(-math.inf)
OLDEST_S = 1e6
_IN_STEP_S = 0.001
_OUT_OF_STEP_S = TICK_S / 4  # half of what a moment may be off without being shown in another frame
_ANOTHER_WAY_S = 0.004
_SETTLED_S = 3.0  # by then the quickest packets have come, and the way is known


class OnsetDetector(Protocol):
    def process(self, blocks: NDArray[np.float32], /) -> NDArray[np.bool_]: ...


class NoteDetector(Protocol):
    def process(self, hops: NDArray[np.float32], /) -> list[Detection]: ...


class Hearing:
    """Listens to one source. `receive` is quick and says of an attack; `detect` finds the notes.

    They are shown at once, or with a delay so long after they were played, and then hops end on ticks of the
    room's, so that the hops of all bridges hold the same.
    """

    def __init__(self, source: Source, onsets: OnsetDetector, onset_block: int, notes: NoteDetector) -> None:
        self.source = source
        self._onsets = onsets
        self._onset_block = onset_block
        self._detector = notes
        self._position: Frames | None = None
        self._for_onsets = self._for_notes = np.empty(0, np.float32)
        self._level_dbfs = -math.inf
        self._arrived_at = self._attacked_at = _NEVER
        self._begun_at: LocalSeconds | None = None
        self._showing = Showing()
        self._timeline = Timeline()
        self._timing = Timing()
        self._way_s = self._known_way_s = self._phase_s = 0.0
        self._is_in_step = False
        self._known_after_s: deque[float] = deque(maxlen=LATEST)

    def set_timing(self, timing: Timing, phase_s: float) -> None:
        """Its moments are of our own time, which room time is `phase_s` ahead of, whole ticks apart."""
        way_s = timing.way_s(self.source.id)
        begins_or_ends = (timing.delay_s is None) is not (self._timing.delay_s is None)
        if begins_or_ends or abs(way_s - self._known_way_s) > _ANOTHER_WAY_S:
            self._is_in_step = False
            self._known_after_s.clear()
            self._known_way_s = way_s
        self._timing, self._way_s, self._phase_s = timing, way_s, phase_s

    def receive(self, rings: Rings, wake: Wake, now: LocalSeconds) -> bool:
        """Take what has been written since the last time; whether an attack is in it.

        A reader that lags by more than half a ring, which is being written over meanwhile, starts anew at the newest.
        """
        if self._position is None or not 0 <= wake.written - self._position <= rings.capacity // 2:
            self._position = Frames(max(0, wake.written - HOP_FRAMES))
            self._begun_at = self._begun_at or now
        fresh = rings.read(self.source.slot, self._position, wake.written - self._position)
        self._position = wake.written
        self._arrived_at = wake.arrived_at
        self._timeline.follow(wake.written, wake.arrived_at)
        self._showing.keep(self._due(wake.written))
        self._for_notes = np.concatenate([self._for_notes, fresh])
        self._step()
        blocks, self._for_onsets = _steps(np.concatenate([self._for_onsets, fresh]), self._onset_block)
        attacks = np.flatnonzero(self._onsets.process(blocks))
        if len(attacks) and now - self._attacked_at >= _FLASH_AGAIN_S:
            self._attacked_at = now
            behind = len(self._for_onsets) + (len(blocks) - 1 - int(attacks[0])) * self._onset_block
            self._showing.attack(self._due(Frames(wake.written - behind)))
            return True
        return False

    def attend(self, wake: Wake) -> None:
        """Sound has arrived that nobody wants to know more of; listening begins anew behind it."""
        self._arrived_at = wake.arrived_at
        self._position = None
        self._for_onsets = self._for_notes = np.empty(0, np.float32)

    def has_hop(self) -> bool:
        """Whether a whole hop has been received that is not yet searched for notes."""
        return len(self._for_notes) >= HOP_FRAMES

    def detect(self) -> Frames:
        """Find the notes of the oldest hop received; where it ended."""
        end = self._next_end()
        hop, self._for_notes = self._for_notes[np.newaxis, :HOP_FRAMES], self._for_notes[HOP_FRAMES:]
        (detection,) = self._detector.process(hop)
        self._level_dbfs = detection.level_dbfs
        self._showing.detect(detection, self._due(end))
        return end

    def known(self, end: Frames, now: LocalSeconds) -> None:
        """What was played until `end` is known."""
        self._known_after_s.append(now - self._played_at(end))

    @property
    def needs_s(self) -> float | None:
        """How long after it was played nearly all is known."""
        return presenting.nearly_most(self._known_after_s)

    @property
    def due(self) -> LocalSeconds:
        """When the next of what is known already is to be shown."""
        return self._showing.due

    def advance(self, now: LocalSeconds, played: Collection[int] = ()) -> bool:
        """Show what is due, and leave `played` to MIDI; whether there is an attack or another note in it."""
        return self._showing.advance(now, played)

    def part(self, now: LocalSeconds, bands: NDArray[np.float32] | None) -> Part:
        """For the effects: what was played lately, and how loud it is."""
        showing = self._showing
        return Part(showing.strokes(now), showing.flash(now), showing.level_dbfs(now), bands)

    def newest(self, rings: Rings, frames: int, now: LocalSeconds) -> Mono:
        """The last of what is due, or silence."""
        position = self._position or 0
        if position:
            waiting_s = max(0.0, self._due(Frames(position)) - now)
            position = max(0, position - round(waiting_s * SAMPLE_RATE_HZ))
        if position < frames or not self._showing.is_alive(now):
            return np.zeros(frames, np.float32)
        return rings.read(self.source.slot, Frames(position - frames), frames)

    def flash(self, now: LocalSeconds) -> float:
        return self._showing.flash(now)

    def sounds(self, now: LocalSeconds) -> bool:
        return self._showing.sounds(now)

    def report(self, now: LocalSeconds) -> SourceReport:
        return SourceReport(
            id=self.source.id,
            name=self.source.name,
            notes=tuple(note.midi for note in self._showing.notes(now)),
            onset=self.flash(now) > 0,
            level_dbfs=round(self._showing.level_dbfs(now), 1),
            age_s=round(min(now - self._arrived_at, OLDEST_S), 3),
        )

    def _played_at(self, position: Frames) -> LocalSeconds:
        return LocalSeconds(self._timeline.at(position) - self._way_s)

    def _due(self, position: Frames) -> LocalSeconds:
        played_at = self._played_at(position)
        delay_s = self._timing.at(played_at)
        return self._arrived_at if delay_s is None else LocalSeconds(max(self._arrived_at, played_at + delay_s))

    def _next_end(self) -> Frames:
        """Where the oldest hop that is not yet searched ends."""
        return Frames((self._position or 0) - len(self._for_notes) + HOP_FRAMES)

    def _step(self) -> None:
        """Leave out what keeps hops from ending on ticks: anything at first and in silence, else what has added up."""
        if self._timing.delay_s is None:
            return
        is_settled = self._begun_at is not None and self._arrived_at - self._begun_at > _SETTLED_S
        is_heard = self._is_in_step and is_settled and self._level_dbfs >= FLOOR_DBFS
        left_s = -(self._played_at(self._next_end()) + self._phase_s) % TICK_S
        surplus = round(left_s * SAMPLE_RATE_HZ)
        if min(left_s, TICK_S - left_s) < (_OUT_OF_STEP_S if is_heard else _IN_STEP_S):
            self._is_in_step = True
        elif len(self._for_notes) >= surplus:
            self._for_notes = self._for_notes[surplus:]
            self._is_in_step = True


def _steps(samples: Mono, size: int) -> tuple[NDArray[np.float32], Mono]:
    """Whole steps as (steps, size), and the rest."""
    whole = len(samples) // size * size
    return samples[:whole].reshape(-1, size), samples[whole:]
