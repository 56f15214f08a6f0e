"""What one player plays over MIDI: it is certain, and nothing has to be detected. Pure: time is a parameter."""

import math
from collections.abc import Iterable
from dataclasses import replace

from jambridge.light import scene
from jambridge.light.control import MidiPlayer, SourceReport
from jambridge.light.effects import Part
from jambridge.light.hearing import OLDEST_S
from jambridge.light.presenting import Timing
from jambridge.light.showing import LOWEST_DBFS
from jambridge.light.strokes import MOST, REMEMBERED_S
from jambridge.notes.stroke import Stroke
from jambridge.units import LocalSeconds

SHORTEST_S = 0.05
"""Three frames: a drum's note is over within a millisecond, and is seen all the same."""
ATTACK_S = 0.3
"""So long behind the beginning of a note, an attack that is heard is its own."""
STILL_S = 0.5
"""So long behind the end of a note, what begins to be heard of its pitch class is its sound dying away."""
_FULL_DB = 60.0  # as loud as a detected note of that velocity


class Keyed:
    def __init__(self, player: MidiPlayer) -> None:
        self.player = player
        self._timing = Timing()
        self._strokes: tuple[Stroke, ...] = ()
        self._later: tuple[Stroke, ...] = ()

    def set_timing(self, timing: Timing) -> None:
        """Show each note so long after it was played as the player's sound; its moments are of our own time."""
        self._timing = timing
        self._later = _in_order(self._shifted(one) for one in self._strokes)

    def follow(self, player: MidiPlayer, now: LocalSeconds) -> bool:
        """Take in what is told; whether it is news. What sounded, and is not told of any more, has ended."""
        told = {(one.midi, one.began): _visible(one) for one in player.strokes}
        former = {(one.midi, one.began): one for one in self._strokes if now - one.began < REMEMBERED_S}
        over = {which: one if one.ended is not None else replace(one, ended=now) for which, one in former.items()}
        before, self._strokes = self._strokes, _in_order((over | told).values())[-MOST:]
        self.set_timing(self._timing)
        self.player = player
        return before != self._strokes

    def pitch_classes(self, now: LocalSeconds) -> frozenset[int]:
        """Of all that sounds, or may still be heard dying away."""
        return frozenset(one.midi % 12 for one in self._shown(now) if one.ended is None or now < one.ended + STILL_S)

    def part(self, now: LocalSeconds) -> Part:
        """Without its sound."""
        shown = self._shown(now)
        sounding = [one.velocity for one in shown if one.sounds(now)]
        level_dbfs = _FULL_DB * (max(sounding) - 1) if sounding else LOWEST_DBFS
        return Part(shown, self._flash(now), level_dbfs)

    def beside(self, heard: Part, now: LocalSeconds) -> Part:
        """With its sound, whose attacks are the same as ours and come a little later: they flash once."""
        shown = self._shown(now)
        strokes = _in_order((*heard.strokes, *shown))
        is_ours = any(now - one.began < ATTACK_S for one in shown)
        return replace(heard, strokes=strokes, flash=self._flash(now) if is_ours else heard.flash)

    def sounds(self, now: LocalSeconds) -> bool:
        """Also before the beginning of what is shown late."""
        return any(one.sounds(now) for one in self._later)

    def report(self, now: LocalSeconds) -> SourceReport:
        """Of a player without sound."""
        level_dbfs = round(self.part(now).level_dbfs, 1)
        nothing = SourceReport(self.player.id, self.player.name, (), onset=False, level_dbfs=level_dbfs, age_s=OLDEST_S)
        return self.report_beside(nothing, now)

    def report_beside(self, heard: SourceReport, now: LocalSeconds) -> SourceReport:
        keys = {int(one.midi) for one in self._shown(now) if one.sounds(now)}
        notes = tuple(sorted({*heard.notes, *keys}))
        return replace(heard, notes=notes, onset=heard.onset or self._flash(now) > 0)

    def _flash(self, now: LocalSeconds) -> float:
        """Of what sounds: the colour is there with it, and no white behind its end."""
        newest = max((one.began for one in self._shown(now) if one.sounds(now)), default=-math.inf)
        return scene.flash(now - newest)

    def _shown(self, now: LocalSeconds) -> tuple[Stroke, ...]:
        is_at_once = self._timing.delay_s is None
        return self._later if is_at_once else tuple(one for one in self._later if one.began <= now)

    def _shifted(self, stroke: Stroke) -> Stroke:
        way_s = self._timing.way_s(self.player.id)
        late_s = (self._timing.at(stroke.began - way_s) or 0.0) - way_s
        return _later(stroke, late_s) if late_s > 0 else stroke


def _later(stroke: Stroke, late_s: float) -> Stroke:
    ended = None if stroke.ended is None else LocalSeconds(stroke.ended + late_s)
    return replace(stroke, began=LocalSeconds(stroke.began + late_s), ended=ended)


def _visible(stroke: Stroke) -> Stroke:
    if stroke.ended is None:
        return stroke
    return replace(stroke, ended=LocalSeconds(max(stroke.ended, stroke.began + SHORTEST_S)))


def _in_order(strokes: Iterable[Stroke]) -> tuple[Stroke, ...]:
    """Of their ends, those that sound last."""
    return tuple(sorted(strokes, key=lambda one: math.inf if one.ended is None else one.ended))
