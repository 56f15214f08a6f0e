"""From one box's line-in to another's line-out, beside Jamulus and JackTrip on the same JACK server; and on PulseAudio.

`scripts/bench sound [seconds] [jack | pulse | mesh]`
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.bench import card_rig
from tests.bench.bridges import Box, open_box, open_boxes, way
from tests.bench.jack_rig import COLUMNS, Measured, measure, rows
from tests.bench.neighbours import SETTLE_S, open_jacktrip, open_jamulus
from tests.bench.stage import table
from tests.fakes.jack import jack
from tests.fakes.ports import free_port
from tests.fakes.sound_card import environment, sound_card

SECONDS = 60.0
MESH = 4
_SETTLE_BOXES_S = 15.0  # what joining did to the delay is forgotten after ten


def on_jack(seconds: float, period_frames: int = 128) -> None:
    shown: list[tuple[str, ...]] = []
    with jack(period_frames=period_frames) as server:
        with open_boxes(server) as boxes:
            measure(server, {"jambridge": way(0, 1)}, _SETTLE_BOXES_S)
            before = [_played(box) for box in boxes]
            measured = measure(server, {"jambridge": way(0, 1)}, seconds)
            shown += _rows(measured, _concealed(boxes[1], before[1], seconds))
        for name, open_one in (("Jamulus", open_jamulus), ("JackTrip", open_jacktrip)):
            with open_one(server) as neighbour:
                measure(server, {name: neighbour}, SETTLE_S)
                shown += _rows(measure(server, {name: neighbour}, seconds), "-")
    title = f"line-in → another's line-out, JACK at {period_frames} frames, {seconds:.0f} s"
    table(title, (*COLUMNS, "concealed", "xruns"), shown)


def on_pulse(seconds: float) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="jambridge-bench-") as place,
        sound_card(Path(place) / "a", "carda") as source,
        sound_card(Path(place) / "b", "cardb") as sink,
        _two_on_pulse(Path(place), source, sink) as boxes,
    ):
        time.sleep(_SETTLE_BOXES_S)
        before = _played(boxes[1])
        heard = card_rig.measure(source, sink, seconds)
        shown = _rows(Measured({"jambridge": heard}, 0, 0), _concealed(boxes[1], before, seconds))
    table(f"the same, PulseAudio virtual cards, {seconds:.0f} s", (*COLUMNS, "concealed", "xruns"), shown)


def in_a_mesh(seconds: float) -> None:
    """Four boxes, all with each other, their lights off: what each costs, and how late it plays the others."""
    shown = []
    with jack() as server, open_boxes(server, MESH) as boxes:
        measure(server, {"0>3": way(0, 3)}, _SETTLE_BOXES_S)
        before = [_spent_s(box) for box in boxes]
        began = time.monotonic()
        measured = measure(server, {"0>3": way(0, 3)}, seconds)
        passed = time.monotonic() - began
        for number, box in enumerate(boxes):
            peers = box.status()["audio"]["peers"]
            parts = {name: (spent - before[number].get(name, 0.0)) / passed for name, spent in _spent_s(box).items()}
            waits = " ".join(f"{peer['latency_ms']['playout']:.0f}" for peer in peers)
            share = " + ".join(f"{name} {one:.3f}" for name, one in parts.items() if one >= 0.001)
            shown.append((f"box {number}", str(len(peers)), f"{sum(parts.values()):.3f}", share, waits))
    table(f"{MESH} boxes, {seconds:.0f} s", ("", "links", "core", "of that", "each waits, ms"), shown)
    table("first box to last", (*COLUMNS, "concealed", "xruns"), _rows(measured, "-"))


@contextmanager
def _two_on_pulse(place: Path, source: Any, sink: Any) -> Iterator[list[Box]]:
    env = environment(place, source, sink)
    hub_port = free_port()
    with ExitStack() as stack:
        boxes = [
            stack.enter_context(open_box(place / name, hub_port, {"audio": audio, "identity": {"name": name}}, env))
            for name, audio in (
                ("one", {"input": "carda", "output": "none"}),
                ("two", {"input": "none", "output": "cardb"}),
            )
        ]
        boxes[1].until(lambda status: any(peer["packets"] for peer in status["audio"]["peers"]), "it is heard")
        yield boxes


def _rows(measured: Measured, concealed: str) -> list[tuple[str, ...]]:
    return [(*row, concealed, str(measured.xruns)) for row in rows(measured)]


def _played(box: Box) -> dict[str, float]:
    """Milliseconds made up so far, by peer."""
    return {peer["id"]: peer["playout"]["concealed_ms"] for peer in box.status()["audio"]["peers"] if peer["playout"]}


def _concealed(box: Box, before: dict[str, float], seconds: float) -> str:
    shares = [(made_up - before.get(peer, 0.0)) / seconds / 10 for peer, made_up in _played(box).items()]
    return " ".join(f"{share:.3f} %" for share in shares)


def _spent_s(box: Box) -> dict[str, float]:
    """Processor time so far, of each of its processes."""
    main = psutil.Process(box.process.pid)
    spent: dict[str, float] = {}
    for process in [main, *main.children(recursive=True)]:
        line = process.cmdline()
        name = line[2].rpartition(".")[2] if line[2].startswith("jambridge.") else "main"
        times = process.cpu_times()
        spent[name] = spent.get(name, 0.0) + times.user + times.system
    return spent


def main(seconds: str = "", which: str = "") -> None:
    length_s = float(seconds or SECONDS)
    for name, bench in (("jack", on_jack), ("pulse", on_pulse), ("mesh", in_a_mesh)):
        if which in ("", name):
            bench(length_s)


if __name__ == "__main__":
    main(*sys.argv[1:3])
