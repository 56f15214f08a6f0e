"""What PortAudio alone costs on JACK: one process hears its input card, another plays it out, a datagram a block.

It is the least a bridge made of the same parts could take. Every end is a JACK client with a name of its own.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.fakes.jack import Jack

CLIENTS = ("through-in", "through-out")


@contextmanager
def open_through(server: Jack) -> Iterator[tuple[str, str]]:
    """The patterns of the ports to play into and to hear."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ends = [_end(server, role, end) for role, end in (("in", ours), ("out", theirs))]
        try:
            patterns = (f"^{CLIENTS[0]}:", f"^{CLIENTS[1]}:")
            for pattern in patterns:
                server.await_ports(pattern, 2)
            yield patterns
        finally:
            for end in ends:
                end.kill()
                end.wait()


def _end(server: Jack, role: str, end: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.jack_through", role, str(end.fileno()), str(server.period_frames)],
        env=os.environ | server.environment,
        pass_fds=[end.fileno()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def name_client(name: str) -> Any:
    """PortAudio with its JACK client named `name`; it wants to know before it starts, and keeps the pointer."""
    import sounddevice

    library = ctypes.CDLL(sounddevice._libname)
    kept = ctypes.create_string_buffer(name.encode())
    sounddevice._terminate()
    library.PaJack_SetClientName(kept)
    sounddevice._initialize()
    sounddevice._client_name = kept
    return sounddevice


def main() -> None:
    role, descriptor, frames = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    end = socket.socket(fileno=descriptor)
    end.setblocking(False)
    sounddevice = name_client(CLIENTS[role == "out"])
    (device,) = [one["index"] for one in sounddevice.query_devices() if one["name"] == "system"]
    shape = {"device": device, "channels": 2, "samplerate": 48_000, "blocksize": frames, "latency": 0}

    def hear(block: Any, *_: Any) -> None:
        end.send(block.tobytes())

    def play(block: Any, *_: Any) -> None:
        block[:] = 0
        with contextlib.suppress(BlockingIOError):
            while True:  # only the newest: what waited while this end was opened is late for ever
                block[:] = np.frombuffer(end.recv(block.nbytes), np.float32).reshape(block.shape)

    stream = (
        sounddevice.InputStream(callback=hear, **shape)
        if role == "in"
        else sounddevice.OutputStream(callback=play, **shape)
    )
    with stream:
        while True:
            time.sleep(1)


if __name__ == "__main__":
    main()
