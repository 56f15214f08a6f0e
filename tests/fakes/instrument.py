"""A MIDI instrument at a JACK server: it plays, and remembers what it was told, and when."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from jambridge.midi.held import Held
from tests.fakes.jack import PATIENCE_S, Jack
from tests.fakes.lines import until

PERIOD_FRAMES = 1024
"""Of a server for tests: a callback in Python that is late for its period reads one event again and again."""
_ROOT = Path(__file__).parents[2]


class Instrument:
    """Its ports are `NAME:out` and `NAME in:in`. Use `instrument`."""

    def __init__(self, server: Jack, name: str) -> None:
        self.name = name
        self.heard: list[tuple[float, bytes]] = []
        """Monotonic seconds, and the message; within a period all have the same moment."""
        self.played: list[tuple[float, bytes]] = []
        """Monotonic seconds at which it was given to the driver, and the message."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.instrument_process", name],
            cwd=_ROOT,
            env={**os.environ, **server.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._orders, self._events = self._process.stdin, self._process.stdout
        assert self._events.readline() == "\n", f"{name} cannot be plugged in"
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def play(self, *messages: bytes | Sequence[int]) -> None:
        """All in the next period."""
        print(json.dumps([bytes(message).hex() for message in messages]), file=self._orders, flush=True)

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
        """Pull it out, if it is not out already."""
        with suppress(BrokenPipeError):
            self._orders.close()
        try:
            status = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._reading.join(PATIENCE_S)
        self._events.close()
        assert status == 0, f"the process of {self.name} ended with {status}"

    def _read(self) -> None:
        for line in self._events:
            at, is_heard, message = json.loads(line)
            (self.heard if is_heard else self.played).append((at, bytes.fromhex(message)))


@contextmanager
def instrument(server: Jack, name: str) -> Iterator[Instrument]:
    """Plugged in until it is closed."""
    one = Instrument(server, name)
    try:
        yield one
    finally:
        one.close()
