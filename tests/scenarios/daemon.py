"""The daemon and the virtual WLED as they are started at home, each on a host of its own."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.scenarios.namespaces import Host

HTTP_PORT = 3080
WLED_HTTP_PORT = 80
LOOK_S = 0.05
PATIENCE_S = 30.0  # two cores, several browsers
JAMBRIDGE = (sys.executable, "-m", "jambridge")
Status = dict[str, Any]


class Program:
    """A running process whose output is kept in `log`."""

    def __init__(self, host: Host, process: subprocess.Popen[bytes], log: Path) -> None:
        self.host = host
        self.process = process
        self.log = log

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def await_said(self, text: str, patience_s: float = PATIENCE_S) -> None:
        until(lambda: text in self.said(), f"{text!r} in {self.log}", patience_s)

    def children(self, module: str) -> list[psutil.Process]:
        """The processes below it that run a module of ours."""
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.process.pid).children(recursive=True)
            return [child for child in family if module in _command_line(child)]
        return []

    def kill_child(self, module: str) -> None:
        (child,) = self.children(module)
        child.send_signal(signal.SIGKILL)

    def terminate(self, patience_s: float = 20.0) -> tuple[int, float]:
        """SIGTERM; the exit status, and how many seconds it took."""
        asked_at = time.monotonic()
        self.process.terminate()
        return self.process.wait(patience_s), time.monotonic() - asked_at

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


class Daemon(Program):
    """`jambridge run`. Use `open_daemon`."""

    def __init__(self, host: Host, process: subprocess.Popen[bytes], log: Path, notices: socket.socket) -> None:
        super().__init__(host, process, log)
        self._notices = notices

    def await_ready(self, patience_s: float = PATIENCE_S) -> None:
        """Until it tells its service manager READY=1."""
        deadline = time.monotonic() + patience_s
        while "READY=1" not in self.notice(max(0.01, deadline - time.monotonic())):
            pass

    def notice(self, patience_s: float = PATIENCE_S) -> str:
        """The next that it tells its service manager."""
        self._notices.settimeout(patience_s)
        return self._notices.recv(4096).decode()

    def get(self, path: str) -> tuple[int, str]:
        return _get(self.host, HTTP_PORT, path)

    def change(self, **values: object) -> None:
        """Change the room's state over its HTTP."""
        code, text = _ask(self.host, HTTP_PORT, "POST", "/api/state", json.dumps(values))
        assert code == 200, text

    def resume(self, code: str) -> None:
        """Go on with a stored session over its HTTP."""
        status, text = _ask(self.host, HTTP_PORT, "POST", "/api/sessions/resume", json.dumps({"id": code}))
        assert status == 202, text

    def mix(self, **values: object) -> None:
        """Change volumes and mutes over its HTTP."""
        code, text = _ask(self.host, HTTP_PORT, "POST", "/api/audio", json.dumps(values))
        assert code == 200, text

    def status(self) -> Status:
        code, text = self.get("/status")
        assert code == 200, f"{text}\n{self.said()[-4000:]}"
        status: Status = json.loads(text)
        return status

    def await_status(self, holds: Callable[[Status], object], what: str, patience_s: float = PATIENCE_S) -> float:
        """Until `holds` of the status; returns the seconds it took."""
        newest: Status = {}

        def look() -> bool:
            with contextlib.suppress(OSError):
                newest.update(self.status())
                return bool(holds(newest))
            return False

        try:
            return until(look, what, patience_s)
        except AssertionError as exc:
            raise AssertionError(f"{exc}; status {json.dumps(newest)[:4000]}\n{self.said()[-4000:]}") from None


@contextmanager
def open_daemon(
    host: Host,
    directory: Path,
    room: str,
    settings: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    verb: Sequence[str] = ("run", "--room"),
) -> Iterator[Daemon]:
    """Start the daemon on `host` in a room, by `verb`; its state and its output are kept in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    config, log = directory / "config.yaml", directory / "log"
    config.write_text(yaml.safe_dump({"audio": {"input": "none", "output": "none"}, **(settings or {})}))
    config.chmod(0o600)  # there may be secrets in it
    address = directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices, log.open("wb") as output:
        address.unlink(missing_ok=True)
        notices.bind(str(address))
        process = host.run(
            [*JAMBRIDGE, *verb, room, "--config", str(config), *arguments],
            env={"JAMBRIDGE_STATE": str(directory / "state"), "NOTIFY_SOCKET": str(address), **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        daemon = Daemon(host, process, log, notices)
        try:
            yield daemon
        finally:
            daemon.end()


class Wled(Program):
    """`jambridge sim wled`. Use `open_wled`."""

    def info(self) -> Status | None:
        """/json/info, None while it does not answer."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer: Status = json.loads(_get(self.host, WLED_HTTP_PORT, "/json/info")[1])
            return answer
        return None

    @property
    def is_live(self) -> bool:
        """Whether it shows a stream instead of its own state."""
        return (self.info() or {}).get("live") is True


@contextmanager
def open_wled(host: Host, directory: Path, pixels: int = 300, name: str = "Strip") -> Iterator[Wled]:
    """Plug in a virtual WLED on `host`, found by mDNS as a real one is."""
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / f"wled-{time.monotonic_ns()}.log"
    with log.open("wb") as output:
        process = host.run(
            [*JAMBRIDGE, "sim", "wled", "--pixels", str(pixels), "--name", name],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        program = Wled(host, process, log)
        try:
            yield program
        finally:
            program.end()


def until(holds: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> float:
    """Wait until it holds; returns the seconds it took. AssertionError if it never does."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < patience_s, f"not within {patience_s} s: {what}"
        time.sleep(LOOK_S)
    return time.monotonic() - began


def _get(host: Host, port: int, path: str) -> tuple[int, str]:
    return _ask(host, port, "GET", path)


def _ask(host: Host, port: int, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    """Ask a service on that host's loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with contextlib.closing(connection):
        connection.sock = host.connect(port)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def _command_line(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def is_driven(status: Status) -> bool:
    """Whether a strip is."""
    return any(one["state"] == "driven" for one in status["light"]["controllers"])
