"""What an outage of the hub does to a room: `python -m tests.bench.outages [2] [20] [120] [frozen60]`.

A number is for how many seconds the hub is killed, and then started again; `frozen` stops and continues it instead. It
has a host of its own, as have two bridges and two musicians; a member of each older kind shares another. Before the
outage the key is changed, during it the tempo, at one bridge. Times count from the hub's first answer after it.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.bench.outage_room import PATIENCE_S, Stage, open_stage
from tests.bench.outage_watch import LOOK_S, Watch
from tests.bench.stage import table
from tests.scenarios.daemon import Status, until

KEYS = ("C", "D", "E", "F", "G", "A", "B")
GHOSTS_AFTER_S = 60.0


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
