"""A JACK server without a sound card, and who is connected to whom there.

jackd's dummy driver is the card: it keeps time and connects nothing by itself. Needs Debian's `jackd2`.

A machine remembers eight servers by name, those that were killed as well, until one starts under the same name: so
there are eight names, and whoever runs a server holds the lock of its name.
"""

import fcntl
import itertools
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PATIENCE_S = 20.0
_MOST_SERVERS = 8
_SHARED_MEMORY = Path("/dev/shm")


class Jack:
    """A server with a name that nobody else has, kept when it is started again; free again once this is closed."""

    def __init__(self, rate_hz: int = 48_000, period_frames: int = 128, channels: int = 2) -> None:
        self.rate_hz = rate_hz
        self.period_frames = period_frames
        self.channels = channels
        """Of the card, each way: PortAudio's device `system` offers no more and no other rate."""
        self.name, self._lock = _free_name()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """For processes that shall find this server, and never start one."""
        return {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1", "JACK_NO_AUDIO_RESERVATION": "1"}

    def start(self) -> None:
        self._sweep()
        self._server = subprocess.Popen(
            ["jackd", "-R", "-n", self.name, "-d", "dummy", "-r", str(self.rate_hz), "-p", str(self.period_frames),
             "-C", str(self.channels), "-P", str(self.channels)],
            env=os.environ | self.environment,
            pass_fds=[self._lock.fileno()],  # the name is taken for as long as the server lives
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.await_ports("^system:", 2 * self.channels)

    def stop(self) -> None:
        """End it in order; its clients are told."""
        if self._server is not None:
            self.thaw()
            self._server.terminate()
            self._end()

    def unplug(self) -> None:
        """As if the card was pulled out."""
        if self._server is not None:
            self._server.kill()
            self._end()

    def close(self) -> None:
        self.stop()
        self._lock.close()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def ports(self, pattern: str = "") -> list[str]:
        """Ports that match, `client:port`, in the server's order; none without a server. Never ask a frozen one."""
        return [name for name in self._tool("jack_lsp").splitlines() if re.search(pattern, name)]

    def await_ports(self, pattern: str, count: int = 1) -> list[str]:
        """The ports that match, once there are at least `count`."""
        deadline_s = time.monotonic() + PATIENCE_S
        while len(found := self.ports(pattern)) < count:
            assert time.monotonic() < deadline_s, f"no {count} ports {pattern!r} among {self.ports()}"
            time.sleep(0.05)
        return found

    def connections(self, port: str) -> list[str]:
        """The ports that `port` is connected to; none where it has gone."""
        lines = self._tool("jack_lsp", "-c").splitlines()
        following = itertools.islice(itertools.dropwhile(lambda line: line != port, lines), 1, None)
        return [line.strip() for line in itertools.takewhile(lambda line: line.startswith("   "), following)]

    def connect(self, source: str, sink: str) -> None:
        self._tool("jack_connect", source, sink)
        assert sink in self.connections(source), f"{source} and {sink} cannot be connected"

    def disconnect(self, source: str, sink: str) -> None:
        self._tool("jack_disconnect", source, sink)

    def isolate(self, ports: Sequence[str]) -> None:
        """Take off `ports` whatever they are connected to, as programs connect themselves to the card."""
        for port in ports:
            for other in self.connections(port):
                self.disconnect(port, other)

    def _end(self) -> None:
        assert self._server is not None
        self._server.wait(PATIENCE_S)
        self._server = None
        self._sweep()

    def _sweep(self) -> None:
        """Remove what a server left, or clients that were killed."""
        for left in _SHARED_MEMORY.glob(f"jack*_{self.name}_*"):
            left.unlink(missing_ok=True)

    def _tool(self, *argv: str) -> str:
        done = subprocess.run(
            argv, env=os.environ | self.environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        return done.stdout if done.returncode == 0 else ""

    def _signal(self, number: signal.Signals) -> None:
        assert self._server is not None
        self._server.send_signal(number)


@contextmanager
def jack(rate_hz: int = 48_000, period_frames: int = 128, channels: int = 2) -> Iterator[Jack]:
    """A running server."""
    server = Jack(rate_hz, period_frames, channels)
    server.start()
    try:
        yield server
    finally:
        server.close()


def _free_name() -> tuple[str, IO[bytes]]:
    """A name, and the file that is its lock."""
    for number in range(_MOST_SERVERS):
        name = f"jambridge-{number}"
        lock = (Path(tempfile.gettempdir()) / f"{name}.lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return name, lock
    raise AssertionError(f"{_MOST_SERVERS} JACK servers run on this machine; there can be no more")
