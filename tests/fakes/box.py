"""A whole box at home on this machine: the daemon with its own hub, and a virtual WLED, each a process."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.browsers import NAME
from tests.fakes.ports import free_ports

PATIENCE_S = 90.0  # two cores, shared
LOOK_S = 0.05
Status = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Box:
    """Use `open_box`."""

    port: int
    hub_port: int
    tls_port: int
    room: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def jam(self) -> str:
        """Where musicians join."""
        return f"https://{NAME}:{self.tls_port}/jam/{self.room}"

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> Answer:
        connection = http.client.HTTPConnection(host, self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            text = body if isinstance(body, bytes) or body is None else json.dumps(body)
            kind = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, text, kind | dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())

    def status(self) -> Status:
        found: Status = self.ask("GET", "/status").json
        return found

    def until(self, holds: Callable[[Status], object], what: str) -> Status:
        deadline = time.monotonic() + PATIENCE_S
        newest: Status = {}
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                newest = self.status()
                if holds(newest):
                    return newest
            assert time.monotonic() < deadline, f"never: {what}; {json.dumps(newest)[:3000]}\n{self.said()[-3000:]}"
            time.sleep(LOOK_S)

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@contextmanager
def open_box(folder: Path, room: str, settings: Mapping[str, str] | None = None) -> Iterator[Box]:
    """Once it drives its strip and is in the room. `settings` are more of its environment, as HTTP__BIND."""
    ports = free_ports(3)
    wled = free_ports(2)
    udp = free_ports(3, socket.SOCK_DGRAM)
    hub, tls, http_port = ports
    data, release, e131 = udp
    controller = {"host": "127.0.0.1", "http_port": wled[0], "data_port": data, "udp_port": release}
    strip = ["sim", "wled", "--pixels", "90", "--name", "Stage", "--host", "127.0.0.1", "--no-announce", "--no-draw"]
    strip += [
        "--http-port",
        str(wled[0]),
        "--data-port",
        str(data),
        "--udp-port",
        str(release),
        "--e131-port",
        str(e131),
    ]
    environment = {
        "HUB__MODE": "host",
        "HUB__BIND": "127.0.0.1",
        "HUB__PORT": str(hub),
        "HUB__TLS_PORT": str(tls),
        "HUB__ADVERTISE": "false",
        "HUB__MAX_PER_ADDRESS": "64",
        "SHARE__BASE_URL": f"https://{NAME}:{tls}",
        "HTTP__PORT": str(http_port),
        "AUDIO__INPUT": "none",
        "AUDIO__OUTPUT": "none",
        "MIDI__INPUTS": "none",
        "MIDI__OUTPUTS": "none",
        "LIGHT__DISCOVER": "off",
        "LIGHT__CONTROLLERS": json.dumps([controller]),
        "STORE__SAVE_EVERY_S": "1",
        **(settings or {}),
    }
    named = {f"JAMBRIDGE_{name}": value for name, value in environment.items()}
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    environ = {**os.environ, "JAMBRIDGE_STATE": str(folder / "state"), "JAMBRIDGE_CONFIG": os.devnull, **named}
    with (
        log.open("wb") as output,
        running(strip, os.environ, output),
        running(["run", "--room", room, "--name", "Box"], environ, output) as process,
    ):
        box = Box(http_port, hub, tls, room, log, process)
        box.until(
            lambda status: (
                status["room"]["connection"] == "connected"
                and [one["state"] for one in status["light"]["controllers"]] == ["driven"]
            ),
            "the box is in its room and drives the strip",
        )
        yield box


@contextmanager
def running(arguments: list[str], environment: Mapping[str, str], output: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "jambridge", *arguments], env=dict(environment), stdout=output, stderr=output
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
