"""A daemon and its WLED on hosts of their own, while a musician plays: handed back, dead, back, moved."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.stage import table
from tests.scenarios.capture import Capture, capture
from tests.scenarios.daemon import Daemon, Wled, open_daemon, open_wled, until
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import Host, network

ROOM = "FLEET1"
NEW_ADDRESS = "10.77.0.99"
NAME = "Strip"
LIGHTS = {"light": {"controllers": [{"name": NAME}]}}


@dataclass(frozen=True, slots=True)
class Stage:
    box: Host
    strip: Host
    directory: Path
    wire: Capture
    daemon: Daemon


@contextmanager
def playing_stage() -> Iterator[Stage]:
    """A daemon that has found its WLED and hears a musician; the WLED is the caller's to start."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jambridge-bench-")))
        box, strip, musician = stack.enter_context(network(3))
        wire = stack.enter_context(capture(strip))
        daemon = stack.enter_context(open_daemon(box, directory, ROOM, LIGHTS))
        daemon.await_ready()
        daemon.await_status(lambda status: status["room"]["connection"] == "connected", "the room is joined")
        stack.enter_context(playing(musician, box, ROOM, act="music"))
        daemon.await_status(lambda status: status["notes"]["sources"], "the musician is heard")
        yield Stage(box, strip, directory, wire, daemon)


def state(status: dict[str, Any]) -> tuple[str, str]:
    (one,) = status["light"]["controllers"] or ({"state": "", "host": ""},)
    return one["state"], one["host"]


def answers(wled: Wled) -> None:
    until(lambda: wled.info() is not None, "the WLED answers")


def hand_back_ms(how: signal.Signals) -> float:
    with playing_stage() as stage, open_wled(stage.strip, stage.directory, name=NAME):
        until(lambda: len(stage.wire.ddp()) > 60, "frames arrive")
        asked = time.monotonic()
        os.kill(stage.daemon.process.pid, how)
        until(lambda: stage.wire.releases(asked), "it is released")
        return 1000 * (stage.wire.releases(asked)[0] - asked)


def follow() -> dict[str, float]:
    """Seconds of each."""
    took: dict[str, float] = {}
    with playing_stage() as stage:
        daemon, strip = stage.daemon, stage.strip
        with open_wled(strip, stage.directory, name=NAME) as wled:
            daemon.await_status(lambda status: state(status)[0] == "driven", "it is driven")
            until(lambda: wled.is_live, "it shows the stream")
            strip.unplug()
            took["cable pulled → flagged"] = daemon.await_status(lambda now: state(now)[0] == "absent", "it is absent")
            strip.plug_in()
            took["cable back → driven"] = daemon.await_status(lambda now: state(now)[0] == "driven", "it is driven")
        with open_wled(strip, stage.directory, name=NAME) as wled:
            answers(wled)
            took["power-cycled, it answers → shows the stream"] = until(lambda: wled.is_live, "it shows the stream")
            daemon.await_status(lambda now: state(now)[0] == "driven", "it is driven")
        strip.readdress(NEW_ADDRESS)
        with open_wled(strip, stage.directory, name=NAME) as wled:
            answers(wled)
            took["new address, it answers → shows the stream"] = until(lambda: wled.is_live, "it shows the stream")
            daemon.await_status(lambda now: state(now) == ("driven", NEW_ADDRESS), "it is driven there")
    return took


def main() -> None:
    if os.geteuid():
        raise SystemExit("the benches make network namespaces: please run them as root")
    rows = [
        (f"{how.name} to the daemon → released, ms", f"{hand_back_ms(how):.1f}", "100")
        for how in (signal.SIGTERM, signal.SIGKILL)
    ]
    rows += [(f"{what}, s", f"{took_s:.1f}", "15" if "flagged" in what else "5") for what, took_s in follow().items()]
    table("A WLED in the network", ("", "measured", "bar"), rows)


if __name__ == "__main__":
    main()
