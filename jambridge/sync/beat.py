"""Where the beat is: a moment of room time at which a beat fell, and the tempo since. Pure.

The host's is the room's: its pongs tell of it. Who hears of a change of tempo goes on from the beat of that moment.
"""

from dataclasses import dataclass

from jambridge.units import RoomSeconds

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Beat:
    """`number` is the beat at `at`, 0 where playing began; `tempo` in beats a minute."""

    at: RoomSeconds
    number: float = 0.0
    tempo: float = 120.0
    is_playing: bool = False

    def at_room(self, room: RoomSeconds) -> float:
        """The beat, with its fraction, at that room time."""
        return self.number + (room - self.at) * self.tempo / MINUTE_S

    def room_s(self, number: float) -> RoomSeconds:
        """When that beat is, or was."""
        return RoomSeconds(self.at + (number - self.number) * MINUTE_S / self.tempo)

    def changed(self, tempo: float, *, is_playing: bool, now: RoomSeconds) -> "Beat":
        """The beat after the room's state has changed: it starts anew where playing begins, else it goes on."""
        if is_playing and not self.is_playing:
            return Beat(now, 0.0, tempo, is_playing=True)
        if tempo == self.tempo:
            return Beat(self.at, self.number, tempo, is_playing)
        return Beat(now, self.at_room(now), tempo, is_playing)
