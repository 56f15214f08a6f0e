"""A room to lose its hub: bridges, musicians and members of the older kinds, each on a host of their own.

The hub is a process on a host of its own, whose address the bridges are told.
"""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.scenarios.capture import Capture, capture
from tests.scenarios.daemon import HTTP_PORT, Daemon, Status, open_daemon, open_wled, until
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import Host, network

ROOM = "GONE22"
HUB_PORT = 3001
PATIENCE_S = 60.0


class Hub:
    """A hub of its own process, whose state outlives it."""

    def __init__(self, host: Host, directory: Path) -> None:
        self.host = host
        self._directory = directory
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._directory / "hub.log").open("ab") as log:
            command = [sys.executable, "-m", "jambridge.hub", "--no-advertise", "--state-dir", str(self._directory)]
            return self.host.run(command, stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        self.process = self._started()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def health(self) -> Status | None:
        """None while it does not answer."""
        with suppress(OSError, http.client.HTTPException, AssertionError):
            said: Status = _asked(self.host, HUB_PORT, "GET", "/healthz", timeout_s=0.5)
            return said
        return None

    def members(self) -> int:
        return int((self.health() or {"members": 0})["members"])


@dataclass(frozen=True, slots=True)
class Stage:
    """`older` are files to which members of the older kinds say what they know of the state."""

    hub: Hub
    daemons: Sequence[Daemon]
    musicians: int
    older: Sequence[Path]
    wire: Capture | None

    @property
    def everybody(self) -> int:
        return len(self.daemons) + self.musicians + len(self.older)

    def change(self, daemon: int, **fields: object) -> None:
        _asked(self.daemons[daemon].host, HTTP_PORT, "POST", "/api/state", fields)

    def in_force(self, wanted: Mapping[str, object]) -> bool:
        """At every bridge, and as far as the older members were told."""
        known = [daemon.status()["state"] for daemon in self.daemons] + [_last(file) for file in self.older]
        return all(wanted.items() <= values.items() for values in known)

    def whole(self) -> bool:
        """Everybody is at the hub, and every bridge shows them."""
        return self.hub.members() == self.everybody and all(
            _is_whole(daemon.status(), self.everybody) for daemon in self.daemons
        )

    def exact(self) -> bool:
        """And shows nobody twice, as one who came back by another id is while the former one is awaited."""
        return all(len(daemon.status()["room"]["participants"]) == self.everybody for daemon in self.daemons)


@contextmanager
def open_stage(directory: Path, musicians: int = 2, *, strip: bool = True) -> Iterator[Stage]:
    """A room in which everybody sees and hears everybody."""
    with ExitStack() as stack:
        home, first, second, shelf, guest, *others = stack.enter_context(network(5 + musicians))
        hub = Hub(home, directory)
        until(hub.health, "the hub answers")
        settings = {"hub": {"url": f"http://{home.address}:{HUB_PORT}"}, "audio": {"input": "none"}}
        dark = {**settings, "light": {"discover": "off"}}
        wire = stack.enter_context(capture(shelf)) if strip else None
        if strip:
            stack.enter_context(open_wled(shelf, directory))
        daemons = []
        for number, (host, wanted) in enumerate(((first, settings if strip else dark), (second, dark))):
            daemons.append(stack.enter_context(open_daemon(host, directory / str(number), ROOM, wanted)))
            daemons[-1].await_ready()
            daemons[-1].await_status(lambda status: status["room"]["connection"] == "connected", "the room is joined")
        older = [stack.enter_context(_older(guest, home, directory, kind)) for kind in ("socketio", "realtime")]
        for number, host in enumerate(others):
            stack.enter_context(playing(host, home, ROOM, number))
        stage = Stage(hub, daemons, musicians, older, wire)
        until(stage.whole, "everybody is there", PATIENCE_S)
        for daemon in daemons:
            daemon.await_status(lambda status: len(sounding(status)) == musicians, "every musician is heard")
        yield stage


@contextmanager
def _older(host: Host, home: Host, directory: Path, kind: str) -> Iterator[Path]:
    said = directory / f"{kind}.said"
    command = [sys.executable, "-m", "tests.bench.older", f"http://{home.address}:{HUB_PORT}", ROOM, kind]
    with said.open("wb") as output, (directory / f"{kind}.log").open("wb") as log:
        process = host.run(command, stdout=output, stderr=log)
    try:
        yield said
    finally:
        process.kill()
        process.wait()


def _asked(host: Host, port: int, method: str, path: str, body: object = None, timeout_s: float = 5.0) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with closing(connection):
        connection.sock = host.connect(port, timeout_s)
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == http.client.OK, text
        return json.loads(text)


def _last(file: Path) -> dict[str, object]:
    lines = file.read_text().splitlines()
    return dict(json.loads(lines[-1])) if lines else {}


def _is_whole(status: Status, everybody: int) -> bool:
    names = {one["name"] for one in status["room"]["participants"]}
    return status["room"]["connection"] == "connected" and len(names) == everybody


def sounding(status: Status) -> list[Status]:
    return [peer for peer in status["audio"]["peers"] if peer["packets"]]
