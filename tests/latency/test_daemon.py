"""Two boxes that play together, asked how late they are."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from jambridge.latency import history
from tests.bench.bridges import Box, open_boxes
from tests.fakes.jack import jack

BUSY_MS = 200.0


def ask(box: Box, *arguments: str, state: Path | None = None) -> str:
    """What it says, with the box's own state directory or another."""
    directory = box.log.parent
    done = subprocess.run(
        [sys.executable, "-m", "jambridge", "latency", "--config", str(directory / "config.yaml"), *arguments],
        env={**os.environ, "JAMBRIDGE_STATE": str(state or directory / "state"), "COLUMNS": "140"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_running_box_tells_how_late_each_musician_is_both_ways() -> None:
    with jack() as server, open_boxes(server) as boxes:
        for box in boxes:
            box.until(lambda status: status["audio"]["peers"][0]["playout"], "the other one is played")
            box.until(lambda status: status["audio"]["input"]["packet_ms"] == 5, "packets are short")
        measured: dict[str, Any] = json.loads(ask(boxes[0], "--json"))
        shown = ask(boxes[0], "--history")
        refused = ask(boxes[0], "--loopback", state=boxes[0].log.parent)
        kept = history.read(boxes[0].log.parent / "state")

    heard, sent = measured["ways"]
    assert (heard["kind"], heard["who"], heard["path"]) == ("heard", "Box1", "host")
    stages = {stage["name"]: stage for stage in heard["stages"]}
    assert list(stages) == ["packet", "network", "jitter buffer", "playout"]
    assert stages["packet"] == {"name": "packet", "ms": 7.5, "basis": "measured"}  # two boxes: packets of 5 ms
    assert 10 < heard["sum_ms"] < BUSY_MS
    assert (sent["kind"], [stage["name"] for stage in sent["stages"]]) == ("sent", ["capture", "packet", "network"])
    assert [way["sum_ms"] for way in kept[0]["ways"]] == [heard["sum_ms"], sent["sum_ms"]]
    assert "Box1" in shown
    assert "stop it first" in refused
