"""The process of MIDI as its main process sees it, without one."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from jambridge.midi import control
from jambridge.midi.control import Message, Play, Played, PortsReport, Quit, Settings, Tick
from jambridge.sync.beat import Beat
from jambridge.sync.clock import Course
from jambridge.typed_json import MAX_BYTES
from jambridge.units import LocalSeconds, RoomSeconds
from tests.fakes.instrument import Instrument
from tests.fakes.lines import until


class MidiLine:
    """Use `midi_line`."""

    def __init__(self, process: subprocess.Popen[bytes], parent: socket.socket) -> None:
        self.process = process
        self.played: list[Played] = []
        self.told: list[Message] = []
        self.report = PortsReport()
        self._parent = parent
        self._may_read = threading.Event()
        self._may_read.set()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def tell(self, message: Message) -> None:
        self._parent.send(control.encode(message))

    def play(self, message: bytes, source: int = 1, due: float = 0.0) -> None:
        self._parent.send(control.pack(Play(source, LocalSeconds(due), message)))

    def pause(self) -> None:
        """Read no more than what is there."""
        self._may_read.clear()

    def resume(self) -> None:
        self._may_read.set()

    def until_ports(self, inputs: int, outputs: int) -> None:
        until(
            lambda: (len(self.report.inputs), len(self.report.outputs)) == (inputs, outputs),
            lambda: f"{inputs} inputs and {outputs} outputs: {self.report}",
        )

    def quit(self) -> int:
        self.tell(Quit())
        return self.process.wait(5)

    def abandon(self) -> None:
        """As if the main process was killed."""
        self._parent.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.resume()
        with suppress(OSError):
            self._parent.shutdown(socket.SHUT_RDWR)
        self.process.wait(5)
        self._reading.join(5)

    def _read(self) -> None:
        while packet := self._receive():
            event = control.unpack(packet)
            if isinstance(event, Played):
                self.played.append(event)
            elif event is None:
                message = control.decode(packet)
                if isinstance(message, PortsReport):
                    self.report = message
                else:
                    self.told.append(message)

    def _receive(self) -> bytes:
        self._may_read.wait()
        with suppress(OSError):
            return self._parent.recv(MAX_BYTES)
        return b""


@contextmanager
def midi_line(environment: Mapping[str, str], mark: Path, settings: Settings | None = None) -> Iterator[MidiLine]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "jambridge.midi.process", str(mark), str(theirs.fileno())],
                env={**os.environ, **environment},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        line = MidiLine(process, ours)
        try:
            line.tell(settings or Settings())
            yield line
        finally:
            line.close()


def tick(tempo: float, *, is_playing: bool) -> Tick:
    """The room's clock is the machine's, and playing began long ago on a beat."""
    return Tick(Course(LocalSeconds(0), RoomSeconds(0)), Beat(RoomSeconds(0), 0.0, tempo, is_playing))


def passing_on(cable: Instrument) -> Callable[[], None]:
    """To be called again and again: what `cable` has heard since comes out of it."""
    passed = 0

    def pass_on() -> None:
        nonlocal passed
        new = cable.messages()[passed:]
        passed += len(new)
        cable.play(*new)

    return pass_on
