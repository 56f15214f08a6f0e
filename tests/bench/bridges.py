"""Two boxes on one JACK server, as `tests.bench.jack_rig` measures them: in at one, out at the other."""

import json
import os
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.bench.jack_rig import Way
from tests.fakes.jack import Jack
from tests.fakes.ports import free_port, free_ports
from tests.scenarios.daemon import JAMBRIDGE

PATIENCE_S = 30.0


class Box:
    """A daemon on this machine with ports and a state of its own."""

    def __init__(self, process: subprocess.Popen[bytes], http_port: int, log: Path) -> None:
        self.process = process
        self.log = log
        self._http_port = http_port

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._http_port}/status", timeout=5) as answer:
            status: dict[str, Any] = json.load(answer)
            return status

    def until(self, holds: Any, what: str) -> dict[str, Any]:
        began = time.monotonic()
        while True:
            try:
                if holds(status := self.status()):
                    return status
            except OSError:
                pass
            assert time.monotonic() - began < PATIENCE_S, f"{what}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.1)


@contextmanager
def open_box(directory: Path, hub_port: int, settings: Mapping[str, Any], env: Mapping[str, str]) -> Iterator[Box]:
    """A box in room BENCH1; the first opens the hub at `hub_port`."""
    directory.mkdir(parents=True)
    http_port, tls_port = free_ports(2)
    config, log = directory / "config.yaml", directory / "log"
    hub = {"port": hub_port, "tls_port": tls_port, "advertise": False, "mode": "host"}
    if (directory.parent / "hub").exists():
        hub = {"url": f"http://127.0.0.1:{hub_port}", "mode": "off"}
    (directory.parent / "hub").touch()
    whole = {"hub": hub, "http": {"port": http_port}, "light": {"mode": "off", "discover": "off"}, **settings}
    config.write_text(yaml.safe_dump(whole))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*JAMBRIDGE, "run", "--room", "BENCH1", "--config", str(config)],
            env={**os.environ, "JAMBRIDGE_STATE": str(directory / "state"), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Box(process, http_port, log)
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def open_boxes(server: Jack, count: int = 2, audio: Mapping[str, Any] | None = None) -> Iterator[list[Box]]:
    """So many boxes on one JACK, all of them heard by all."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jambridge-bench-")))
        hub_port = free_port()
        boxes: list[Box] = []
        for number in range(count):
            settings = {
                "identity": {"name": f"Box{number}"},
                "audio": {"input": "system", "output": "system", **(audio or {})},
            }
            boxes.append(stack.enter_context(open_box(directory / str(number), hub_port, settings, server.environment)))
            server.await_ports(_ports(number, "in"), 2)
            server.await_ports(_ports(number, "out"), 2)
            boxes[0].until(lambda status: status["room"]["connection"] == "connected", "the room is joined")
        for box in boxes:
            box.until(lambda status: _connected(status) == count - 1, "everybody is heard")
        yield boxes


@contextmanager
def open_jambridge(server: Jack) -> Iterator[Way]:
    """From the first box to the second."""
    with open_boxes(server):
        yield way(0, 1)


def way(source: int, sink: int) -> Way:
    return Way(_ports(source, "in"), _ports(sink, "out"))


def _ports(number: int, direction: str) -> str:
    suffix = f"-{number:02}" if number else ""
    return f"^jambridge-{direction}{suffix}:"


def _connected(status: dict[str, Any]) -> int:
    return sum(peer["state"] == "connected" and peer["packets"] > 0 for peer in status["audio"]["peers"])
