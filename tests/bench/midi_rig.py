"""Two daemons, each on a host of its own and maybe with a strip; their instruments hang on one JACK server."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from jambridge.midi import message as midi
from tests.fakes.instrument import Instrument
from tests.fakes.jack import Jack, jack
from tests.fakes.lines import until
from tests.scenarios.daemon import Daemon, open_daemon, open_wled
from tests.scenarios.namespaces import Host, network

ROOM = "BENCH1"
PERIOD_FRAMES = 64
PIXELS = 300
PATIENCE_S = 60.0


@dataclass
class Rig:
    server: Jack
    directory: Path
    hosts: list[Host]
    daemons: list[Daemon]
    stack: ExitStack
    strips: list[Host]
    """One a box, or none."""
    starts: int = 0

    def start(self, number: int, **section: object) -> Daemon:
        """The box of host `number`, with the instrument of that number at it."""
        self.starts += 1
        wanted = {"inputs": f"play{number}", "outputs": f"play{number}", **section}
        audio = {"input": "none", "output": "none"}
        directory = self.directory / str(number)
        settings: dict[str, object] = {"audio": audio, "midi": wanted}
        if self.strips:
            settings["light"] = {"controllers": [{"host": self.strips[number].address}], "discover": "off"}
        daemon = self.stack.enter_context(
            open_daemon(self.hosts[number], directory, ROOM, settings, env=self.server.environment)
        )
        daemon.await_status(
            lambda status: status["room"]["connection"] == "connected", "the room is joined", PATIENCE_S
        )
        return daemon


@contextmanager
def open_rig(period_frames: int = PERIOD_FRAMES, *, lit: bool = False, **section: object) -> Iterator[Rig]:
    """`lit`: each box has a strip."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jambridge-bench-")))
        rig = Rig(
            stack.enter_context(jack(period_frames=period_frames)),
            directory,
            stack.enter_context(network(4 if lit else 2)),
            [],
            stack,
            [],
        )
        for strip in rig.hosts[2:]:
            stack.enter_context(open_wled(strip, directory, PIXELS, f"Strip {strip.address}"))
            rig.strips.append(strip)
        for number in range(2):
            rig.daemons.append(rig.start(number, **section))
        yield rig


def connected(rig: Rig, first: Instrument, second: Instrument) -> None:
    """Until a note passes."""
    for daemon in rig.daemons:
        daemon.await_status(lambda status: status["midi"]["inputs"] and status["midi"]["outputs"], "the ports are open")
    heard = len(second.heard)

    def passes() -> bool:
        first.play(midi.control(15, 20, 1))
        return len(second.heard) > heard

    until(passes, "the boxes are connected", PATIENCE_S)
    time.sleep(1.0)
