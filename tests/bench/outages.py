"""What an outage of the hub does to a room: `python -m tests.bench.outages [2] [20] [120] [frozen60]`.

A number is for how many seconds the hub is killed, and then started again; `frozen` stops and continues it instead. It
has a host of its own, as have two bridges and two musicians; a member of each older kind shares another. Before the
outage the key is changed, during it the tempo, at one bridge. Times count from the hub's first answer after it.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from tests.bench.stage import table
from tests.scenarios.capture import Capture, capture
from tests.scenarios.daemon import HTTP_PORT, Daemon, Status, open_daemon, open_wled, until
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import Host, network

ROOM = "GONE22"
HUB_PORT = 3001
KEYS = ("C", "D", "E", "F", "G", "A", "B")
LOOK_S = 0.25
GHOSTS_AFTER_S = 60.0
PATIENCE_S = 60.0
PACKETS_A_SECOND = 100


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


@dataclass
class Watch:
    """What the bridges' status said, four times a second; seen from another thread."""

    daemons: Sequence[Daemon]
    seen: list[list[tuple[float, Status]]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.seen = [[] for _ in self.daemons]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            for daemon, seen in zip(self.daemons, self.seen, strict=True):
                seen.append((time.monotonic(), daemon.status()))

    @property
    def all(self) -> Iterator[Status]:
        return (status for seen in self.seen for _, status in seen)

    @property
    def longest_silence_s(self) -> float | None:
        """Of any musician, at any bridge; None where one was not connected at all."""
        silences = [peer["silent_s"] for status in self.all for peer in _sounding(status)]
        return None if None in silences else max(silences, default=0.0)

    @property
    def heard(self) -> float:
        """The least share of a musician's packets that a bridge got; those of a connection anew do not count twice."""
        shares = []
        for seen in self.seen:
            (began, first), (ended, last) = seen[0], seen[-1]
            before, after = _packets(first), _packets(last)
            shares += [(after.get(peer, 0) - before[peer]) / (ended - began) / PACKETS_A_SECOND for peer in before]
        return min(shares, default=1.0)

    @property
    def connections_anew(self) -> int:
        """How often a count of packets began again, or a musician was missing."""
        anew = 0
        for seen in self.seen:
            counts = [_packets(status) for _, status in seen]
            for before, after in pairwise(counts):
                anew += sum(after.get(peer, -1) < packets for peer, packets in before.items())
        return anew

    @property
    def clocks_apart_ms(self) -> float:
        """How far the room clocks of the bridges came apart; the clocks below them are one and the same."""
        rounds = zip(*self.seen, strict=False)
        offsets = [[status["clock"]["offset_ms"] for _, status in looked] for looked in rounds]
        return max((max(each) - min(each) for each in offsets), default=0.0)

    @property
    def hosts(self) -> list[str]:
        """Who hosted, one after another, as the first bridge saw it."""
        names: dict[str | None, str] = {None: "nobody"}
        hosts: list[str] = []
        for _, status in self.seen[0]:
            names |= {one["id"]: one["name"] for one in status["room"]["participants"]}
            if (name := names[status["room"]["host_id"]]) not in hosts[-1:]:
                hosts.append(name)
        return hosts


@dataclass(frozen=True, slots=True)
class Result:
    """Seconds count from the hub's answering again; None: never, while it was watched."""

    noticed: bool
    connected_s: Sequence[float | None]
    whole_s: float | None
    exact_s: float | None
    in_force_s: float | None
    ghosts: int
    silence_s: float | None
    heard: float
    anew: int
    strip_gap_s: float | None
    clocks_apart_ms: float
    hosts: Sequence[str]


def outage(stage: Stage, seconds: float, *, frozen: bool, ghosts_after_s: float = GHOSTS_AFTER_S) -> Result:
    present = stage.daemons[0].status()["state"]
    before = {"key": KEYS[KEYS.index(present["key"]) - 1]}
    during = {"tempo": 61 + int(present["tempo"]) % 200}
    stage.change(0, **before)
    until(lambda: stage.in_force(before), f"{before} is in force", PATIENCE_S)
    with Watch(stage.daemons) as watch:
        _wait(1.0)
        gone = time.monotonic()
        (stage.hub.freeze if frozen else stage.hub.kill)()
        _wait(seconds / 2)
        stage.change(1, **during)
        _wait(gone + seconds - time.monotonic())
        (stage.hub.thaw if frozen else stage.hub.start)()
        until(stage.hub.health, "the hub answers")
        back = time.monotonic()
        whole_s, exact_s, in_force_s = _moments(
            back, stage.whole, lambda: stage.whole() and stage.exact(), lambda: stage.in_force({**before, **during})
        )
        _wait(back + ghosts_after_s - time.monotonic())
        ghosts = stage.hub.members() - stage.everybody
        sizes = [len(daemon.status()["room"]["participants"]) for daemon in stage.daemons]
    frames = [frame.at for frame in stage.wire.ddp(gone)] if stage.wire else []
    return Result(
        noticed=any(status["room"]["connection"] != "connected" for status in watch.all),
        connected_s=[_connected_s(seen, gone, back) for seen in watch.seen],
        whole_s=whole_s,
        exact_s=exact_s,
        in_force_s=in_force_s,
        ghosts=max(ghosts, max(sizes) - stage.everybody, key=abs),
        silence_s=watch.longest_silence_s,
        heard=watch.heard,
        anew=watch.connections_anew,
        strip_gap_s=max((b - a for a, b in pairwise(frames)), default=None),
        clocks_apart_ms=watch.clocks_apart_ms,
        hosts=watch.hosts,
    )


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
            daemon.await_status(lambda status: len(_sounding(status)) == musicians, "every musician is heard")
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


def _sounding(status: Status) -> list[Status]:
    return [peer for peer in status["audio"]["peers"] if peer["packets"]]


def _packets(status: Status) -> dict[str, int]:
    return {peer["id"]: peer["packets"] for peer in _sounding(status)}


def _connected_s(seen: Sequence[tuple[float, Status]], gone: float, back: float) -> float | None:
    """When it was connected for good; 0 where that was before the hub's first answer to us."""
    away = [at for at, status in seen if at > gone and status["room"]["connection"] != "connected"]
    after = [at for at, status in seen if at > max(away, default=back) and status["room"]["connection"] == "connected"]
    return max(0.0, min(after) - back) if after else None


def _moments(back: float, *facts: Callable[[], bool]) -> list[float | None]:
    """How long after `back` each came to hold."""
    found: list[float | None] = [None] * len(facts)
    while None in found and time.monotonic() < back + PATIENCE_S:
        for number, holds in enumerate(facts):
            if found[number] is None and holds():
                found[number] = time.monotonic() - back
        time.sleep(LOOK_S / 5)
    return found


def _wait(seconds: float) -> None:
    time.sleep(max(0.0, seconds))


def _shown(value: float | None, form: str = ".1f") -> str:
    return "never" if value is None else format(value, form)


def _column(result: Result) -> tuple[str, ...]:
    return (
        "yes" if result.noticed else "no",
        " ".join(map(_shown, result.connected_s)),
        _shown(result.whole_s),
        _shown(result.exact_s),
        _shown(result.in_force_s),
        str(result.ghosts),
        _shown(result.silence_s),
        f"{100 * result.heard:.1f}",
        str(result.anew),
        _shown(result.strip_gap_s, ".2f"),
        f"{result.clocks_apart_ms:.2f}",
        ", ".join(result.hosts),
    )


ROWS = (
    ("noticed by a bridge", ""),
    ("bridges connected, s", "10"),
    ("everybody there, s", "10"),
    ("nobody there twice, s", "60"),
    ("key of before and tempo of meanwhile in force at all, s", ""),
    ("ghosts after a minute", "0"),
    ("longest silence of a musician at a bridge, s", "0"),
    ("packets of a musician heard, %", "100"),
    ("connections made anew", "0"),
    ("longest gap between a strip's packets, s", ""),
    ("room clocks of the bridges apart, most, ms", "2"),
    ("hosts, one after another", "one"),
)


def main() -> None:
    if os.geteuid():
        raise SystemExit("this bench makes network namespaces: please run it as root")
    cases = sys.argv[1:] or ["2", "20", "120", "frozen60"]
    columns = []
    with tempfile.TemporaryDirectory(prefix="jambridge-bench-") as directory, open_stage(Path(directory)) as stage:
        for case in cases:
            frozen = case.startswith("frozen")
            columns.append(_column(outage(stage, float(case.removeprefix("frozen")), frozen=frozen)))
    rows = [(what, *measured, bar) for (what, bar), *measured in zip(ROWS, *columns, strict=True)]
    table("The hub goes for so many seconds; two bridges, two musicians, two older members", ("", *cases, "bar"), rows)


if __name__ == "__main__":
    main()
