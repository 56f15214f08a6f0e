"""A set through `jambridge listen FILE --json`, the command itself, for scorers that take frames as JSON.

    python -m tests.bench.note_listen SET DIRECTORY

Writes DIRECTORY/NAME.json for each piece of SET: [[time, [[midi, velocity], …]], …], one row a frame.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from jambridge.notes.frame import FRAME_RATE_HZ
from tests.bench import truth
from tests.bench.note_scores import NOTES, Roll


def listened(sound: Path) -> list[dict[str, Any]]:
    """The frames that the command prints."""
    command = [sys.executable, "-m", "jambridge", "listen", str(sound), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def roll(frames: Iterable[dict[str, Any]]) -> Roll:
    """What the frames show; a frame is known by its time."""
    shown = {round(frame["time"] * FRAME_RATE_HZ) - 1: [note["midi"] for note in frame["notes"]] for frame in frames}
    notes = np.zeros((1 + max(shown, default=-1), NOTES), bool)
    for index, midi in shown.items():
        notes[index, midi] = True
    return notes


def rows(frames: Iterable[dict[str, Any]]) -> list[list[Any]]:
    return [[frame["time"], [[note["midi"], note["velocity"]] for note in frame["notes"]]] for frame in frames]


def main(directory: str, target: str) -> None:
    Path(target).mkdir(parents=True, exist_ok=True)
    for name in truth.names(Path(directory)):
        frames = listened(Path(directory) / f"{name}.flac")
        (Path(target) / f"{name}.json").write_text(json.dumps(rows(frames)))
        print(name, len(frames))


if __name__ == "__main__":
    main(*sys.argv[1:])
