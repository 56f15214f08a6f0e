"""A MIDI instrument at a JACK server: it plays, and remembers what it was told, and when."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import rtmidi

from jambridge.midi.held import Held
from tests.fakes.jack import PATIENCE_S, Jack
from tests.fakes.lines import environment, until

PERIOD_FRAMES = 1024
"""Of a server for tests: a callback in Python that is late for its period reads one event again and again."""


class Instrument:
    """Its ports are `NAME:out` and `NAME in:in`. Use `instrument`."""

    def __init__(self, server: Jack, name: str) -> None:
        self.name = name
        self.heard: list[tuple[float, bytes]] = []
        """Monotonic seconds, and the message; within a period all have the same moment."""
        with environment(server.environment):
            self._out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=name)
            self._out.open_virtual_port("out")
            self._in = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=f"{name} in", queue_size_limit=1)
        self._in.ignore_types(sysex=False, timing=False, active_sense=False)
        self._in.set_callback(lambda event, _: self.heard.append((time.monotonic(), bytes(event[0]))))
        self._in.open_virtual_port("in")

    def play(self, *messages: bytes | Sequence[int]) -> None:
        """All in the next period."""
        for message in messages:
            self._out.send_message(message)

    def messages(self) -> list[bytes]:
        return [message for _, message in self.heard]

    @property
    def holds(self) -> Held:
        """What sounds by all that it was told."""
        held = Held()
        for message in self.messages():
            held.take(message)
        return held

    def until_heard(self, count: int, patience_s: float = PATIENCE_S) -> None:
        until(lambda: len(self.heard) >= count, f"{self.name} hears {count} messages", patience_s)

    def close(self) -> None:
        self._out.delete()
        self._in.delete()


@contextmanager
def instrument(server: Jack, name: str) -> Iterator[Instrument]:
    """Plugged in until it is closed."""
    one = Instrument(server, name)
    try:
        yield one
    finally:
        one.close()
