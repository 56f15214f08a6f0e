"""The MIDI clock of the room's beat: which message is due, and when. Pure.

Source: MIDI 1.0 Detailed Specification 4.2, "System real time messages" and "Song position pointer": 24 clocks a beat,
a song position counts sixteenths, of six clocks each. The clock runs also while nothing plays, as instruments tell the
tempo from it. It is led to the room's beat at most a twentieth faster or slower than the tempo; what is further off is
found by song position and continue.
"""

import math

from jambridge.midi import message as midi
from jambridge.sync.beat import MINUTE_S, Beat
from jambridge.units import RoomSeconds

PER_BEAT = 24
PER_SIXTEENTH = 6
_LEAD = 0.05
_FOLLOW_TICKS = 12.0  # in which an error of phase is made up for
_FAR = PER_BEAT / 4  # ticks: further off is another place in the song
_POSITIONS = 1 << 14


class Ticks:
    """`due` is the room time of the next tick."""

    def __init__(self, beat: Beat, now: RoomSeconds) -> None:
        self._beat = beat
        self._runs = self._is_placed = False  # as the instruments know
        self._place(now)

    def follow(self, beat: Beat, now: RoomSeconds) -> None:
        """The room's beat is this from now on."""
        before, self._beat = self._beat, beat
        if beat.is_playing and not before.is_playing and abs(beat.at_room(now)) * PER_BEAT < _FAR:
            self._tick, self.due, self._is_placed = 0, max(now, beat.at), False
        elif abs(self._error) > _FAR:
            self._place(now)
        elif before.tempo != beat.tempo:
            left = (self.due - now) * before.tempo / beat.tempo  # what is left of this tick, at the new tempo
            self.due = RoomSeconds(now + max(left, 0.0))

    def next(self) -> list[bytes]:
        """What is sent at `due`, which moves on."""
        told = [*self._transport(), bytes((midi.CLOCK,))]
        lead = min(max(self._error / _FOLLOW_TICKS, -_LEAD), _LEAD)
        self._tick += 1
        self.due = RoomSeconds(self.due + MINUTE_S / self._beat.tempo / PER_BEAT * (1.0 - lead))
        return told

    def skip(self, now: RoomSeconds) -> None:
        """Leave out what is long over: who stood still does not make up for it."""
        if now - self.due > MINUTE_S / self._beat.tempo:
            self._place(now)

    def end(self) -> list[bytes]:
        """What is sent where no clock comes any more."""
        runs, self._runs = self._runs, False
        return [bytes((midi.STOP,))] if runs else []

    @property
    def _error(self) -> float:
        """By how many ticks we are late."""
        return self._beat.at_room(self.due) * PER_BEAT - self._tick

    def _place(self, now: RoomSeconds) -> None:
        self._tick = math.ceil(self._beat.at_room(now) * PER_BEAT)
        self.due = self._beat.room_s(self._tick / PER_BEAT)
        self._is_placed = False

    def _transport(self) -> list[bytes]:
        """Start, stop, or where to go on."""
        if not self._beat.is_playing:
            return self.end()
        if (self._runs and self._is_placed) or self._tick < 0 or self._tick % PER_SIXTEENTH:
            return []
        stop = self.end()
        self._runs = self._is_placed = True
        if self._tick == 0:
            return [*stop, bytes((midi.START,))]
        position = self._tick // PER_SIXTEENTH % _POSITIONS
        return [*stop, bytes((midi.SONG_POSITION, position & 0x7F, position >> 7)), bytes((midi.CONTINUE,))]
