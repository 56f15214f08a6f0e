"""Plays clicks into JACK ports and records others, and knows when: each frame's time.monotonic().

A process of its own: `python -m tests.bench.jack_times SERVER SECONDS FILE`, wired as `jack_rig` is. A frame's
time is that at which the period with it began, plus its place within it: what the hardware's own buffers add is not in
it, nor what JACK adds for its second period.
"""

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.bench.jack_rig import LONGEST_S, Rig, Samples, find, wire
from tests.fakes.jack import Jack

_PIECE_S = 1.0  # in each of which some callback is on time


@dataclass
class Recording:
    """`sound`, shape (frames,), of all ports recorded; `missed` where the recorder itself was late."""

    rate_hz: int = 0
    sound: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    missed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    played: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """The frames at which clicks went out."""
    times: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    """Shape (pieces, 2): a frame and its time."""

    def time_of(self, frames: NDArray[np.int64]) -> NDArray[np.float64]:
        return frames / self.rate_hz + np.interp(frames, self.times[:, 0], self.times[:, 1])

    def frame_at(self, time_s: float) -> int:
        near = round(float(time_s - self.times[0, 1]) * self.rate_hz)
        return near - round((float(self.time_of(np.array([near]))[0]) - time_s) * self.rate_hz)

    def delay_s(self, sent_s: float, template: Samples) -> float | None:
        """How long after `sent_s` a click was heard, NaN if never; None where the recording cannot tell."""
        first = self.frame_at(sent_s)
        last = first + round(LONGEST_S * self.rate_hz) + len(template)
        if first < 0 or last > len(self.sound) or self.missed[first:last].any():
            return None
        found = find(template, self.sound[first:last])
        return float(self.time_of(np.array([first + found[0]]))[0]) - sent_s if found else float("nan")


class TimedRig(Rig):
    """One input, which need not be connected, and one output."""

    def __init__(self, server: str, seconds: float) -> None:
        super().__init__(server, 1, 1, seconds)
        self._moments: list[tuple[int, float]] = []

    def save(self, file: Path) -> None:
        moments = np.array(self._moments)
        late = moments[:, 1] - moments[:, 0] / self.rate_hz
        pieces = (moments[:, 0] / (_PIECE_S * self.rate_hz)).astype(np.int64)
        times = [
            (moments[pieces == piece, 0].mean(), late[pieces == piece].min())  # who is late is late, nobody is early
            for piece in np.unique(pieces)
        ]
        np.savez(
            file,
            rate_hz=self.rate_hz,
            sound=self._recorded[0],
            missed=~self._was_recorded,
            played=np.array([position for position, _ in self.sent], np.int64),
            times=np.array(times),
        )

    def _record(self, frames: int) -> None:
        now = time.monotonic()
        if self._start >= 0:
            self._moments.append((self._ears.last_frame_time - self._start, now))
        super()._record(frames)


@contextmanager
def recording(server: Jack, out_of: str, seconds: float, into: str | None = None) -> Iterator[Recording]:
    """Record every port that matches `out_of` for `seconds`, and play clicks into those that match `into` meanwhile.

    What is yielded is filled when this is left, which lasts until it is over.
    """
    recorded = Recording()
    with tempfile.TemporaryDirectory(prefix="jambridge-bench-") as directory:
        file = Path(directory) / "recording.npz"
        rig = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.jack_times", server.name, str(seconds), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with rig:
            assert rig.stdout is not None
            assert rig.stdin is not None
            rig.stdout.readline()
            wire(server, out_of, "ears:0")
            if into is not None:
                wire(server, into, "clicks:0")
            rig.stdin.write("go\n")
            rig.stdin.flush()
            yield recorded
            rig.communicate()
        with np.load(file) as saved:
            recorded.rate_hz = int(saved["rate_hz"])
            recorded.sound, recorded.missed = saved["sound"], saved["missed"]
            recorded.played, recorded.times = saved["played"], saved["times"]


def main() -> None:
    server, seconds, file = sys.argv[1:]
    rig = TimedRig(server, float(seconds))
    print("ready", flush=True)
    sys.stdin.readline()
    gc.disable()  # while it plays
    rig.run()
    rig.save(Path(file))


if __name__ == "__main__":
    main()
