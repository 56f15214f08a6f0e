"""MIDI messages as bytes, each whole and with its status byte; the parser takes whatever a port gives. Pure.

Source: MIDI 1.0 Detailed Specification 4.2, "Data format": running status, real-time bytes anywhere, also within a
system exclusive, which any other status byte ends.
"""

from collections.abc import Sequence
from typing import Final

from jambridge.errors import WireError

NOTE_OFF, NOTE_ON, KEY_PRESSURE, CONTROL, PROGRAM, PRESSURE, BEND = range(0x80, 0xF0, 0x10)
SYSEX, TIME_CODE, SONG_POSITION, SONG_SELECT, TUNE_REQUEST, SYSEX_END = 0xF0, 0xF1, 0xF2, 0xF3, 0xF6, 0xF7
CLOCK, START, CONTINUE, STOP, ACTIVE_SENSING, RESET = 0xF8, 0xFA, 0xFB, 0xFC, 0xFE, 0xFF
ALL_SOUND_OFF, RESET_CONTROLLERS, ALL_NOTES_OFF = 120, 121, 123
PEDALS: Final = (64, 66, 69)
"""Controllers that keep notes sounding: sustain, sostenuto, hold 2."""
CHANNELS: Final = range(16)
RELEASE_VELOCITY: Final = 64
MAX_SYSEX: Final = 64 * 1024
MAX_SYSEX_JACK: Final = 16 * 1024 - 1 - 4
"""RtMidi drops what its ring to JACK has no room for, four bytes of length as well, and does not say so."""

_MOST_DATA = 0x7F
_REAL_TIME = frozenset({CLOCK, START, CONTINUE, STOP, ACTIVE_SENSING, RESET})
_LENGTHS = {
    **dict.fromkeys((NOTE_OFF, NOTE_ON, KEY_PRESSURE, CONTROL, BEND, SONG_POSITION), 3),
    **dict.fromkeys((PROGRAM, PRESSURE, TIME_CODE, SONG_SELECT), 2),
    TUNE_REQUEST: 1,
}


def kind(message: bytes) -> int:
    """The status without its channel."""
    return message[0] & 0xF0 if message[0] < SYSEX else message[0]


def is_channel_message(message: bytes) -> bool:
    return message[0] < SYSEX


def channel(message: bytes) -> int:
    """0..15 of a channel message."""
    return message[0] & 0x0F


def on_channel(message: bytes, number: int) -> bytes:
    """The same channel message on channel `number`, 0..15."""
    return bytes((kind(message) | number,)) + message[1:]


def note_off(number: int, note: int) -> bytes:
    return bytes((NOTE_OFF | number, note, RELEASE_VELOCITY))


def control(number: int, controller: int, value: int) -> bytes:
    return bytes((CONTROL | number, controller, value))


def is_note_on(message: bytes) -> bool:
    return kind(message) == NOTE_ON and message[2] > 0


def is_note_off(message: bytes) -> bool:
    return kind(message) == NOTE_OFF or (kind(message) == NOTE_ON and message[2] == 0)


def ends_notes(message: bytes) -> bool:
    """All sound off, all notes off, or a change of mode, which are all of these as well."""
    return kind(message) == CONTROL and (message[1] == ALL_SOUND_OFF or message[1] >= ALL_NOTES_OFF)


def checked(numbers: Sequence[object]) -> bytes:
    """One whole channel message as numbers, from outside.

    Raises:
        WireError: it is none.
    """
    if not numbers or not all(type(one) is int and 0 <= one <= RESET for one in numbers):
        raise WireError("a MIDI message is a list of bytes")
    message = bytes(numbers)  # type: ignore[arg-type]
    if not NOTE_OFF <= message[0] < SYSEX:
        raise WireError(f"status {message[0]:#04x} is none of a channel")
    if len(message) != _LENGTHS[kind(message)] or max(message[1:]) > _MOST_DATA:
        raise WireError("a MIDI message with data that does not fit its status")
    return message


class Parser:
    """Whole messages out of a stream of bytes; what is incomplete or out of place is dropped and counted."""

    def __init__(self) -> None:
        self.dropped = 0
        self._status = 0  # running; 0: none
        self._data = bytearray()
        self._begun = False  # a message that is not whole
        self._sysex: bytearray | None = None

    def feed(self, data: bytes) -> list[bytes]:
        found = (self._take(byte) for byte in data)
        return [message for message in found if message is not None]

    def _take(self, byte: int) -> bytes | None:
        if byte >= CLOCK:
            self.dropped += byte not in _REAL_TIME
            return bytes((byte,)) if byte in _REAL_TIME else None
        if byte > _MOST_DATA:
            return self._begin(byte)
        if self._sysex is not None:
            self._lengthen(self._sysex, byte)
            return None
        return self._complete(byte)

    def _begin(self, status: int) -> bytes | None:
        sysex, self._sysex = self._sysex, None
        is_dropped = sysex is not None and len(sysex) == MAX_SYSEX
        if sysex is not None and status == SYSEX_END:
            sysex.append(status)
            return None if is_dropped else bytes(sysex)
        self.dropped += (sysex is not None and not is_dropped) or self._begun or status == SYSEX_END
        self._data.clear()
        self._status, self._begun = 0, False
        if status == SYSEX:
            self._sysex = bytearray((status,))
        elif (length := _LENGTHS.get(status & 0xF0 if status < SYSEX else status)) is None:
            self.dropped += status != SYSEX_END
        elif length == 1:
            return bytes((status,))
        else:
            self._status, self._begun = status, True
        return None

    def _lengthen(self, sysex: bytearray, byte: int) -> None:
        """One that is too long is dropped, and counted once, however long it goes on."""
        if len(sysex) < MAX_SYSEX:
            sysex.append(byte)
            self.dropped += len(sysex) == MAX_SYSEX

    def _complete(self, byte: int) -> bytes | None:
        if not self._status:
            self.dropped += 1
            return None
        self._data.append(byte)
        message = bytes((self._status,)) + self._data
        self._begun = len(message) < _LENGTHS[kind(message)]
        if self._begun:
            return None
        self._data.clear()
        if self._status >= SYSEX:
            self._status = 0  # system common has no running status
        return message
