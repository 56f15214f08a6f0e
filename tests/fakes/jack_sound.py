"""Sound into and out of the ports of a JACK server: a client in a process of its own plays tones, another records.

python -m tests.fakes.jack_sound SERVER tone HERTZ... | record FILE CHANNELS
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jack as libjack
import numpy as np

from tests.fakes.jack import Jack
from tests.fakes.sound_card import Recording

LEVEL = 0.3
_COMMAND = (sys.executable, "-m", "tests.fakes.jack_sound")


@contextmanager
def playing(server: Jack, into: str, *frequencies_hz: float) -> Iterator[None]:
    """A tone at 0.3 into each of the ports that match `into`, and nothing else into them."""
    with _client(server, "tone", *map(str, frequencies_hz)):
        ports = server.await_ports(into, len(frequencies_hz))
        server.isolate(ports)
        for number, port in enumerate(ports):
            server.connect(f"tone:{number}", port)
        yield


@contextmanager
def recording(server: Jack, out_of: str, file: Path) -> Iterator[Recording]:
    """Whatever comes out of the ports that match `out_of`."""
    ports = server.await_ports(out_of)
    with _client(server, "record", str(file), str(len(ports))):
        for number, port in enumerate(ports):
            server.connect(port, f"record:{number}")
        yield Recording(file, len(ports))


@contextmanager
def _client(server: Jack, act: str, *arguments: str) -> Iterator[None]:
    with subprocess.Popen([*_COMMAND, server.name, act, *arguments], stdin=subprocess.PIPE) as process:
        try:
            server.await_ports(f"^{act}:")
            yield
        finally:
            process.communicate()


def main(server: str, act: str, arguments: Sequence[str]) -> None:
    client = libjack.Client(act, servername=server, no_start_server=True)
    if act == "tone":
        _play(client, [float(hertz) for hertz in arguments])
    else:
        _record(client, Path(arguments[0]), int(arguments[1]))
    with client:
        sys.stdin.read()


def _play(client: libjack.Client, frequencies_hz: Sequence[float]) -> None:
    ports = [client.outports.register(str(number)) for number in range(len(frequencies_hz))]

    def play(frames: int) -> None:
        time_s = (client.last_frame_time + np.arange(frames)) / client.samplerate
        for port, hertz in zip(ports, frequencies_hz, strict=True):
            assert isinstance(port, libjack.OwnPort)
            port.get_array()[:] = LEVEL * np.sin(2 * np.pi * hertz * time_s)

    client.set_process_callback(play)


def _record(client: libjack.Client, file: Path, channels: int) -> None:
    ports = [client.inports.register(str(number)) for number in range(channels)]
    recorded = file.open("wb", buffering=0)

    def record(_frames: int) -> None:
        blocks = [port.get_array() for port in ports if isinstance(port, libjack.OwnPort)]
        recorded.write(np.stack(blocks, axis=1).tobytes())

    client.set_process_callback(record)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
