"""What PortAudio alone costs: one process hears its input card, another plays it out, a datagram a block.

It is the least that a bridge made of the same parts could take. On JACK every end is a client with a name of its own.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.fakes.jack import Jack
from tests.fakes.sound_card import SoundCard

CLIENTS = ("through-in", "through-out")
ON_JACK = "system"
BLOCK_FRAMES = 128
KEPT = {True: 1, False: 4}
"""Blocks that may wait, on JACK and on cards, whose blocks come in threes: older ones would be late for ever."""


@contextmanager
def on_jack(server: Jack) -> Iterator[tuple[str, str]]:
    """The patterns of the ports to play into and to hear."""
    with _ends((ON_JACK, server.environment), (ON_JACK, server.environment), server.period_frames):
        patterns = (f"^{CLIENTS[0]}:", f"^{CLIENTS[1]}:")
        for pattern in patterns:
            server.await_ports(pattern, 2)
        yield patterns


@contextmanager
def on_cards(source: SoundCard, sink: SoundCard) -> Iterator[None]:
    with _ends((source.name, source.environment), (sink.name, sink.environment), BLOCK_FRAMES):
        yield


@contextmanager
def _ends(source: tuple[str, Mapping[str, str]], sink: tuple[str, Mapping[str, str]], frames: int) -> Iterator[None]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ends = [_end("in", *source, ours, frames), _end("out", *sink, theirs, frames)]
        try:
            yield
        finally:
            for end in ends:
                end.kill()
                end.wait()


def _end(
    role: str, device: str, environment: Mapping[str, str], end: socket.socket, frames: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.through", role, device, str(end.fileno()), str(frames)],
        env=os.environ | environment,
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
    role, device, descriptor, frames = sys.argv[1:]
    end = socket.socket(fileno=int(descriptor))
    end.setblocking(False)
    sounddevice = name_client(CLIENTS[role == "out"])
    waiting: deque[bytes] = deque(maxlen=KEPT[device == ON_JACK])
    shape = {"device": device, "channels": 2, "samplerate": 48_000, "blocksize": int(frames), "latency": "low"}

    def hear(block: Any, *_: Any) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads yet
            end.send(block.tobytes())

    def play(block: Any, *_: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting.append(end.recv(block.nbytes))
        block[:] = np.frombuffer(waiting.popleft(), np.float32).reshape(block.shape) if waiting else 0

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
