"""A MIDI instrument at a JACK server: it plays, and remembers what it was told, to the frame."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import jack as libjack

from jambridge.midi.held import Held
from tests.fakes.jack import PATIENCE_S, Jack
from tests.fakes.lines import until

Heard = tuple[int, bytes]
"""The server's frame, and the message."""


class Instrument:
    """Its ports are `NAME:out` and `NAME:in`. Use `instrument`."""

    def __init__(self, server: Jack, name: str) -> None:
        self.name = name
        self.played: list[Heard] = []
        self.heard: list[Heard] = []
        self._due: deque[bytes] = deque()
        self._client = libjack.Client(name, servername=server.name, no_start_server=True)
        self.rate_hz = self._client.samplerate
        self._out = _own(self._client.midi_outports.register("out"))
        self._in = _own(self._client.midi_inports.register("in"))
        self._client.set_process_callback(self._period)
        self._client.activate()

    def play(self, *messages: bytes | Sequence[int]) -> None:
        """All in the next period."""
        self._due.extend(map(bytes, messages))

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
        self._client.deactivate()
        self._client.close()

    def _period(self, _frames: int) -> None:
        start = self._client.last_frame_time
        self._out.clear_buffer()
        for _ in range(len(self._due)):
            message = self._due.popleft()
            self._out.write_midi_event(0, message)
            self.played.append((start, message))
        for offset, data in self._in.incoming_midi_events():
            self.heard.append((start + offset, bytes(data)))


def _own(port: libjack.Port) -> libjack.OwnMidiPort:
    assert isinstance(port, libjack.OwnMidiPort)
    return port


@contextmanager
def instrument(server: Jack, name: str) -> Iterator[Instrument]:
    """Plugged in until it is closed."""
    one = Instrument(server, name)
    try:
        yield one
    finally:
        one.close()
