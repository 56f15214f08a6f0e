"""A cable of a known length: JACK's client `cable`, which PortAudio takes for a card that hears what it plays.

What comes in goes out `frames` frames later, at a gain. Prints a line when it is there, and lives until it is killed.
"""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import jack as libjack
import numpy as np

from tests.fakes.jack import Jack

NAME = "cable"
CHANNELS = 2


@contextmanager
def cable(server: Jack, frames: int, gain: float = 1.0) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.latency.cable", server.name, str(frames), str(gain)], stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


class Cable:
    def __init__(self, server: str, frames: int, gain: float) -> None:
        self._client = libjack.Client(NAME, servername=server, no_start_server=True)
        self._into = [self._client.inports.register(f"in_{number}") for number in range(CHANNELS)]
        self._out_of = [self._client.outports.register(f"out_{number}") for number in range(CHANNELS)]
        self._under_way = np.zeros((CHANNELS, frames), np.float32)
        self._gain = np.float32(gain)
        self._client.set_process_callback(self._pass)
        self._client.activate()

    def _pass(self, frames: int) -> None:
        came = np.stack([port.get_array() for port in self._into]) * self._gain  # type: ignore[attr-defined]
        both = np.concatenate([self._under_way, came], axis=1)
        for port, sound in zip(self._out_of, both, strict=True):
            port.get_array()[:] = sound[:frames]  # type: ignore[attr-defined]
        self._under_way = both[:, frames:]


def main() -> None:
    server, frames, gain = sys.argv[1:]
    kept = Cable(server, int(frames), float(gain))
    print("ready", kept, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()
