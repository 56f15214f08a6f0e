"""Several sources into one instrument, which cannot tell them apart: nobody ends what another one holds. Pure."""

from jambridge.midi import message as midi
from jambridge.midi.held import Held
from jambridge.midi.message import ALL_NOTES_OFF, CONTROL, PEDALS, RESET_CONTROLLERS, SYSEX


class Merge:
    """A source is whatever number its owner gives it."""

    def __init__(self) -> None:
        self._sources: dict[int, Held] = {}
        self._channels: dict[int, set[int]] = {}
        self.unheld = 0
        """Notes that were ended and had not begun."""

    @property
    def sounding(self) -> int:
        """Notes held, by however many."""
        return len({note for held in self._sources.values() for note in held.notes})

    def holds(self, source: int, channel: int, note: int) -> bool:
        held = self._sources.get(source)
        return held is not None and (channel, note) in held.notes

    def play(self, source: int, message: bytes) -> list[bytes]:
        """What the instrument is to be told of a message."""
        if message[0] >= SYSEX:
            return [message]
        held = self._sources.setdefault(source, Held())
        channel = midi.channel(message)
        self._channels.setdefault(source, set()).add(channel)
        if midi.is_note_off(message):
            return self._end_note(source, held, message)
        if midi.ends_notes(message) or (midi.kind(message) == CONTROL and message[1] == RESET_CONTROLLERS):
            return self._end_channel(source, held, message)
        held.take(message)
        if midi.kind(message) == CONTROL and message[1] in PEDALS:
            return [midi.control(channel, message[1], max(self._pressed(channel, message[1])))]
        return [message]

    def hush(self, source: int) -> list[bytes]:
        """What ends all that a source holds, which is forgotten; ALL NOTES OFF only on channels it alone has used."""
        held = self._sources.get(source)
        if held is None:
            return []
        told = [one for end in held.release() for one in self.play(source, end)]
        del self._sources[source]
        alone = self._channels.pop(source) - set().union(*self._channels.values())
        return told + [midi.control(channel, ALL_NOTES_OFF, 0) for channel in sorted(alone)]

    def hush_all(self) -> list[bytes]:
        return [message for source in tuple(self._sources) for message in self.hush(source)]

    def _end_note(self, source: int, held: Held, message: bytes) -> list[bytes]:
        key = midi.channel(message), message[1]
        if key not in held.notes:
            self.unheld += 1
            return []
        held.take(message)
        others = any(key in other.notes for number, other in self._sources.items() if number != source)
        return [] if others else [message]

    def _end_channel(self, source: int, held: Held, message: bytes) -> list[bytes]:
        """One source's own share of it, where others use the channel."""
        channel = midi.channel(message)
        if not any(channel in used for number, used in self._channels.items() if number != source):
            held.take(message)
            return [message]
        notes = [note for number, note in held.notes if number == channel] if midi.ends_notes(message) else []
        pedals = [] if midi.ends_notes(message) else [which for number, which in held.pedals if number == channel]
        ends = [midi.note_off(channel, note) for note in notes]
        ends += [midi.control(channel, which, 0) for which in pedals]
        return [one for end in ends for one in self.play(source, end)]

    def _pressed(self, channel: int, controller: int) -> list[int]:
        return [held.pedals.get((channel, controller), 0) for held in self._sources.values()]


def silence() -> list[bytes]:
    """Panic: for an instrument of which nobody knows what it holds."""
    return [
        midi.control(channel, controller, 0) for channel in midi.CHANNELS for controller in (*PEDALS, ALL_NOTES_OFF)
    ]
