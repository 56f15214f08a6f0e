"""What a stream of messages plays, as notes with a beginning and an end: a sustain pedal holds them. Pure."""

from collections import deque
from dataclasses import replace

from jambridge.midi import message as midi
from jambridge.midi.held import DOWN, Held
from jambridge.midi.message import ALL_SOUND_OFF, CONTROL
from jambridge.notes.stroke import Stroke
from jambridge.units import LocalSeconds, MidiNote

MOST = 64
"""That sound at once: of more, the oldest end."""
_ENDED_FOR_S = 0.1  # a note that begins and ends between two looks is seen all the same
_MOST_ENDED = 16
_SUSTAINING = (64, 69)  # sustain, hold 2; sostenuto (66), which holds some notes alone, is passed over


class Keys:
    def __init__(self) -> None:
        self._held = Held()
        self._sounding: dict[tuple[int, int], Stroke] = {}
        self._ended: deque[Stroke] = deque(maxlen=_MOST_ENDED)

    def take(self, message: bytes, at: LocalSeconds) -> None:
        """Follow one message; those of the system play nothing."""
        if not midi.is_channel_message(message):
            return
        self._held.take(message)
        channel = midi.channel(message)
        if midi.is_note_on(message):
            self._strike((channel, message[1]), message[2] / 127, at)
        is_cut = midi.kind(message) == CONTROL and message[1] == ALL_SOUND_OFF
        for key in [key for key in self._sounding if key[0] == channel and key not in self._held.notes]:
            if is_cut or not self._is_sustained(channel):
                self._end(key, at)

    def strokes(self, now: LocalSeconds) -> tuple[Stroke, ...]:
        """Those that ended a moment ago, and all that sound, each in the order of its beginning."""
        lately = (one for one in self._ended if one.ended is not None and now - one.ended < _ENDED_FOR_S)
        return (*lately, *self._sounding.values())

    def _strike(self, key: tuple[int, int], velocity: float, at: LocalSeconds) -> None:
        self._end(key, at)
        self._sounding[key] = Stroke(MidiNote(key[1]), velocity, at)
        if len(self._sounding) > MOST:
            self._end(next(iter(self._sounding)), at)

    def _end(self, key: tuple[int, int], at: LocalSeconds) -> None:
        if key in self._sounding:
            self._ended.append(replace(self._sounding.pop(key), ended=at))

    def _is_sustained(self, channel: int) -> bool:
        return any(self._held.pedals.get((channel, pedal), 0) >= DOWN for pedal in _SUSTAINING)
