"""What sounds because of somebody: the notes and pedals that a stream of messages holds, and how they end. Pure."""

from collections.abc import Collection

from jambridge.midi import message as midi
from jambridge.midi.message import CONTROL, PEDALS, RESET_CONTROLLERS
from jambridge.room.flood import TokenBucket
from jambridge.units import LocalSeconds

RATE, BURST = 500.0, 500.0
DOWN = 64
"""A pedal is down from this value on."""


class Held:
    """`notes`: velocity by (channel, note); `pedals`: value above 0 by (channel, controller)."""

    def __init__(self) -> None:
        self.notes: dict[tuple[int, int], int] = {}
        self.pedals: dict[tuple[int, int], int] = {}

    def __bool__(self) -> bool:
        return bool(self.notes or self.pedals)

    def take(self, message: bytes) -> None:
        """Follow one message; those of the system hold nothing."""
        if not midi.is_channel_message(message):
            return
        channel = midi.channel(message)
        if midi.is_note_on(message):
            self.notes[channel, message[1]] = message[2]
        elif midi.is_note_off(message):
            self.notes.pop((channel, message[1]), None)
        elif midi.ends_notes(message):
            self.notes = {key: velocity for key, velocity in self.notes.items() if key[0] != channel}
        elif midi.kind(message) == CONTROL:
            self._press(channel, message[1], message[2])

    def is_ended_by(self, message: bytes) -> bool:
        """Whether `message` ends something that is held."""
        if not midi.is_channel_message(message):
            return False
        channel = midi.channel(message)
        if midi.is_note_off(message):
            return (channel, message[1]) in self.notes
        if midi.ends_notes(message):
            return any(key[0] == channel for key in self.notes)
        if midi.kind(message) != CONTROL:
            return False
        if message[1] == RESET_CONTROLLERS:
            return any(key[0] == channel for key in self.pedals)
        return message[2] < DOWN <= self.pedals.get((channel, message[1]), 0)

    def beyond(self, notes: Collection[tuple[int, int]], pedals: Collection[tuple[int, int]] | None) -> list[bytes]:
        """What ends everything held but these; `pedals` None: not known, they stay."""
        ends = [midi.note_off(*key) for key in self.notes if key not in notes]
        if pedals is not None:
            ends += [midi.control(*key, 0) for key in self.pedals if key not in pedals]
        return ends

    def release(self) -> list[bytes]:
        """What ends all of it."""
        return self.beyond((), ())

    def _press(self, channel: int, controller: int, value: int) -> None:
        if controller == RESET_CONTROLLERS:
            self.pedals = {key: value for key, value in self.pedals.items() if key[0] != channel}
        elif controller in PEDALS and value:
            self.pedals[channel, controller] = value
        else:
            self.pedals.pop((channel, controller), None)


class Thinning:
    """At most so many messages a second; but what ends a note that sounds always passes."""

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        self.held = Held()
        """By what has passed."""
        self.dropped = 0
        self._bucket = TokenBucket(rate, burst)

    def admits(self, message: bytes, now: LocalSeconds) -> bool:
        fits = self._bucket.take(now)
        if not fits and not self.held.is_ended_by(message):
            self.dropped += 1
            return False
        self.held.take(message)
        return True
