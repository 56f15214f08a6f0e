"""What others take from line-in to line-out on one JACK server: Jamulus over its server, JackTrip from peer to peer.

Both as Debian has them, with their default settings. Every start is measured apart: buffers settle anew each time.
"""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from tests.bench.jack_rig import COLUMNS, Way, measure, rows
from tests.bench.stage import table
from tests.bench.through import on_jack
from tests.fakes.jack import Jack, jack
from tests.fakes.ports import free_ports

STARTS = 3
SECONDS = 60.0
SETTLE_S = 10.0  # Jamulus adapts its buffers

Open = Callable[[Jack], AbstractContextManager[Way]]


@contextmanager
def open_jamulus(server: Jack) -> Iterator[Way]:
    """A Jamulus server and two clients that are connected to it; from the first to the second."""
    meeting, one, other = free_ports(3, socket.SOCK_DGRAM)
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="jambridge-jamulus-"))
        here = server.environment | {"QT_QPA_PLATFORM": "offscreen", "HOME": home, "XDG_RUNTIME_DIR": home}
        stack.enter_context(_running(["Jamulus", "--server", "--nogui", "--port", str(meeting)], here))
        for name, port in (("a", one), ("b", other)):
            client = ["Jamulus", "--nogui", "--clientname", name, "--inifile", f"{home}/{name}.ini",
                      "--port", str(port), "--connect", f"127.0.0.1:{meeting}"]  # fmt: skip
            stack.enter_context(_running(client, here))
            server.await_ports(f"^Jamulus {name}:", 4)
        yield Way("^Jamulus a:input", "^Jamulus b:output")


@contextmanager
def open_jacktrip(server: Jack) -> Iterator[Way]:
    """Two JackTrips, each other's peer; from the first to the second."""
    one, other = free_ports(2, socket.SOCK_DGRAM)
    waiting = ["jacktrip", "-s", "-J", "jacktrip-a", "-B", str(one), "-P", str(other)]
    calling = ["jacktrip", "-c", "127.0.0.1", "-J", "jacktrip-b", "-B", str(other), "-P", str(one)]
    with ExitStack() as stack:
        for name, program in (("a", waiting), ("b", calling)):
            stack.enter_context(_running(program, server.environment))
            if name == "b":  # the first makes its ports when it is called
                server.await_ports("^jacktrip-[ab]:", 8)
        yield Way("^jacktrip-a:send", "^jacktrip-b:receive")


@contextmanager
def open_portaudio(server: Jack) -> Iterator[Way]:
    with on_jack(server) as (into, out_of):
        yield Way(into, out_of)


NEIGHBOURS: dict[str, Open] = {"Jamulus": open_jamulus, "JackTrip": open_jacktrip, "PortAudio alone": open_portaudio}


def compare(opens: dict[str, Open], period_frames: int, starts: int, seconds: float) -> None:
    """Print a row for every start of everything in `opens`, all on one server."""
    shown = []
    with jack(period_frames=period_frames) as server:
        for name, open_one in opens.items():
            for start in range(starts):
                with open_one(server) as way:
                    measure(server, {name: way}, SETTLE_S)
                    measured = measure(server, {f"{name} {start + 1}": way}, seconds)
                shown += [(*row, str(measured.xruns), str(measured.void)) for row in rows(measured)]
    table(f"On JACK at {period_frames} frames, {seconds:.0f} s", (*COLUMNS, "xruns", "void"), shown)


@contextmanager
def _running(argv: list[str], environment: dict[str, str]) -> Iterator[None]:
    program = subprocess.Popen(
        argv,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        program.kill()
        program.wait()


def main() -> None:
    """neighbours [seconds] [starts] [frames a period]"""
    seconds, starts, period = (*sys.argv[1:], *("", "", "")[len(sys.argv) - 1 :])
    compare(NEIGHBOURS, int(period or 128), int(starts or STARTS), float(seconds or SECONDS))


if __name__ == "__main__":
    main()
