"""The stage of the benches: a daemon, a WLED and three musicians, each on a host of its own; the wire is captured."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.scenarios.capture import Capture, capture
from tests.scenarios.daemon import Daemon, Program, is_driven, open_daemon, open_wled
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import network

ROOM = "BENCH1"
PEERS = 3
PIXELS = 300


@dataclass(frozen=True, slots=True)
class Stage:
    """`musicians` have joined and are heard."""

    daemon: Daemon
    wled: Program
    wire: Capture
    musicians: tuple[subprocess.Popen[str], ...]

    def stop_musicians(self) -> list[dict[str, float]]:
        """End them, and give what they said: one JSON object a line."""
        for musician in self.musicians:
            musician.terminate()
        texts = [musician.communicate(timeout=10)[0] for musician in self.musicians]
        return [json.loads(line) for text in texts for line in text.splitlines()]


@contextmanager
def open_stage(act: str, pixels: int = PIXELS) -> Iterator[Stage]:
    """Everything in place and running; `act` is what each musician does, see musician.py."""
    if os.geteuid():
        raise SystemExit("the benches make network namespaces: please run them as root")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jambridge-bench-")))
        box, strip, *others = stack.enter_context(network(2 + PEERS))
        wire = stack.enter_context(capture(strip))
        wled = stack.enter_context(open_wled(strip, directory, pixels))
        daemon = stack.enter_context(open_daemon(box, directory, ROOM))
        daemon.await_ready()
        daemon.await_status(lambda status: status["room"]["connection"] == "connected", "the room is joined")
        musicians = tuple(
            stack.enter_context(playing(host, box, ROOM, number, act)) for number, host in enumerate(others)
        )
        daemon.await_status(lambda status: len(_heard(status)) == PEERS, "every musician is heard")
        daemon.await_status(is_driven, "the strip is driven")
        yield Stage(daemon, wled, wire, musicians)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    shown = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        shown.add_column(column, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*row)
    Console(width=110).print(shown)


def _heard(status: dict[str, dict[str, list[dict[str, int]]]]) -> list[dict[str, int]]:
    return [peer for peer in status["audio"]["peers"] if peer["packets"] > 0]
