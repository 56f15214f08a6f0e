"""How long sound takes from one JACK port to another: clicks at odd moments, heard in the same graph to the sample.

A process of its own with two clients, so that clicks which go in circles make no loop of the graph: `clicks` comes
first in every period, `ears` last. Both count the server's frames: a period that one of them missed moves nothing.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jack as libjack
import numpy as np
from numpy.typing import NDArray

from tests.fakes.jack import Jack

LEVEL = 0.5
CLICK_S = 0.004
LONGEST_S = 0.19  # of a way; a click is due this long
APART_S = (0.2, 0.35)  # between clicks, whichever way they go
LIKENESS = 0.5  # of what is heard to a click: the cosine of the angle between the two
QUIETEST = 0.02  # of a click's level
SETTLE_S = 0.5
SEED = 1

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Way:
    """From every input port that matches `into` to every output port that matches `out_of`, summed."""

    into: str
    out_of: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of the clicks of one way, in their order."""

    sent_s: NDArray[np.float64]
    """Shape (clicks,), seconds since the start."""
    delays_ms: NDArray[np.float64]
    """Shape (clicks,); NaN where a click was not heard."""
    level_db: float
    """Of the clicks heard, against those sent; +6 where both channels come out as they went in."""

    @property
    def missed(self) -> int:
        return int(np.isnan(self.delays_ms).sum())

    def percentile(self, share: float) -> float:
        return float(np.nanpercentile(self.delays_ms, share)) if self.missed < len(self.delays_ms) else float("nan")

    @property
    def slope_ms_per_minute(self) -> float:
        """How the delay grows; NaN where less than two clicks were heard."""
        there = ~np.isnan(self.delays_ms)
        if there.sum() < 2:
            return float("nan")
        return 60 * float(np.polyfit(self.sent_s[there], self.delays_ms[there], 1)[0])


@dataclass(frozen=True, slots=True)
class Measured:
    ways: dict[str, Heard]
    void: int
    """Clicks that do not count: the rig itself missed a period while they were under way."""
    xruns: int
    """Times that the server found any client late."""


def measure(server: Jack, ways: Mapping[str, Way], seconds: float) -> Measured:
    """Wire the rig to the ports of `ways`, and to them alone, and listen for `seconds`.

    Inputs take turns: a click is in one of them at a time. The ports must be there.
    """
    into = sorted({way.into for way in ways.values()})
    out_of = sorted({way.out_of for way in ways.values()})
    rig = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.jack_rig", server.name, str(len(into)), str(len(out_of)), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with rig:
        assert rig.stdout is not None
        rig.stdout.readline()
        for number, pattern in enumerate(into):
            wire(server, pattern, f"clicks:{number}")
        for number, pattern in enumerate(out_of):
            wire(server, pattern, f"ears:{number}")
        said = json.loads(rig.communicate("go\n")[0])
    heard = {name: _heard(said["clicks"], into.index(way.into), out_of.index(way.out_of)) for name, way in ways.items()}
    return Measured(heard, said["void"], said["xruns"])


def rows(measured: Measured) -> list[tuple[str, ...]]:
    """For `stage.table`, under `COLUMNS`."""
    return [
        (
            name,
            *(f"{heard.percentile(share):.1f}" for share in (0, 50, 99, 100)),
            f"{heard.slope_ms_per_minute:+.2f}",
            f"{heard.missed} of {len(heard.sent_s)}",
            f"{heard.level_db:+.1f}",
        )
        for name, heard in measured.ways.items()
    ]


COLUMNS = ("ms, one way", "least", "p50", "p99", "most", "growth, ms/min", "missed", "level, dB")


def click(rate_hz: int) -> Samples:
    """A chirp from 1 to 6 kHz: it stands out after any codec, and correlates at one moment alone."""
    time_s = np.arange(int(CLICK_S * rate_hz)) / rate_hz
    phase = 2 * np.pi * (1000 * time_s + 5000 / CLICK_S * time_s**2 / 2)
    return (LEVEL * np.sin(phase) * np.hanning(len(time_s))).astype(np.float32)


def find(template: Samples, heard: Samples) -> tuple[int, float] | None:
    """Where `template` is in `heard`, in samples, and how many times as loud; None where it is not."""
    match = np.correlate(heard, template, "valid")
    position = int(np.argmax(np.abs(match)))
    energy = float(np.dot(template, template))
    around = heard[position : position + len(template)]
    scale = float(np.abs(match[position])) / energy
    likeness = scale * np.sqrt(energy / max(float(np.dot(around, around)), 1e-12))
    return (position, scale) if likeness >= LIKENESS and scale >= QUIETEST else None


def plan(frames: int, inputs: int, rate_hz: int) -> list[tuple[int, int]]:
    """Position and input of each click; none so late that its end could not be heard."""
    rng = np.random.default_rng(SEED)
    gaps = rng.integers(int(APART_S[0] * rate_hz), int(APART_S[1] * rate_hz), frames)
    positions = np.cumsum(gaps)
    last = frames - int((LONGEST_S + CLICK_S) * rate_hz)
    return [(int(position), number % inputs) for number, position in enumerate(positions[positions < last])]


class Rig:
    """`inputs` signals to play and `outputs` to record, shape (ports, frames); frame 0 is the server's `start`."""

    def __init__(self, server: str, inputs: int, outputs: int, seconds: float) -> None:
        self._clicks = libjack.Client("clicks", servername=server, no_start_server=True)
        self._ears = libjack.Client("ears", servername=server, no_start_server=True)
        self.rate_hz = self._clicks.samplerate
        self.frames = int(seconds * self.rate_hz)
        self.xruns = 0
        self._start = -1
        self._played = np.zeros((inputs, self.frames), np.float32)
        self._recorded = np.zeros((outputs, self.frames), np.float32)
        self._was_played = np.zeros(self.frames, np.bool_)
        self._was_recorded = np.zeros(self.frames, np.bool_)
        self.sent = plan(self.frames, inputs, self.rate_hz)
        template = click(self.rate_hz)
        for position, number in self.sent:
            self._played[number, position : position + len(template)] = template
        self._to = [_own(self._clicks.outports.register(str(number))) for number in range(inputs)]
        self._from = [_own(self._ears.inports.register(str(number))) for number in range(outputs)]
        self._clicks.set_process_callback(self._play)
        self._ears.set_process_callback(self._record)
        self._ears.set_xrun_callback(self._late)
        self._clicks.activate()
        self._ears.activate()

    def run(self) -> None:
        self._start = self._clicks.frame_time + self._clicks.blocksize
        time.sleep(self.frames / self.rate_hz + SETTLE_S)
        self._ears.close()
        self._clicks.close()

    def outcome(self) -> dict[str, object]:
        """Of each click position, input, and for each output delay in ms and level, or None."""
        template = click(self.rate_hz)
        clicks, void = [], 0
        for position, number in self.sent:
            window = slice(position, position + int(LONGEST_S * self.rate_hz) + len(template))
            if self._was_played[position : position + len(template)].all() and self._was_recorded[window].all():
                found = [find(template, sound[window]) for sound in self._recorded]
                ways = [one and (1000 * one[0] / self.rate_hz, one[1]) for one in found]
                clicks.append((position / self.rate_hz, number, ways))
            else:
                void += 1
        return {"clicks": clicks, "void": void, "xruns": self.xruns}

    def _play(self, frames: int) -> None:
        here, there = self._overlap(self._clicks.last_frame_time, frames)
        for port, signal in zip(self._to, self._played, strict=True):
            out = port.get_array()
            out[:] = 0
            out[there] = signal[here]
        self._was_played[here] = True

    def _record(self, frames: int) -> None:
        here, there = self._overlap(self._ears.last_frame_time, frames)
        for port, sound in zip(self._from, self._recorded, strict=True):
            sound[here] = port.get_array()[there]
        self._was_recorded[here] = True

    def _overlap(self, frame: int, frames: int) -> tuple[slice, slice]:
        """Where a period lies among ours, and the same within the period."""
        if self._start < 0:
            return slice(0, 0), slice(0, 0)
        position = frame - self._start
        first = min(max(position, 0), self.frames)
        last = min(max(position + frames, 0), self.frames)
        return slice(first, last), slice(first - position, last - position)

    def _late(self, _delayed_us: float) -> None:
        self.xruns += self._start >= 0


def _own(port: libjack.Port) -> libjack.OwnPort:
    assert isinstance(port, libjack.OwnPort)
    return port


def wire(server: Jack, pattern: str, own: str) -> None:
    ports = [port for port in server.await_ports(pattern) if not port.startswith(("clicks:", "ears:"))]
    server.isolate(ports)
    for port in ports:
        server.connect(*((own, port) if own.startswith("clicks:") else (port, own)))


def _heard(clicks: Sequence[tuple[float, int, list[tuple[float, float] | None]]], source: int, sink: int) -> Heard:
    chosen = [(sent_s, ways[sink]) for sent_s, number, ways in clicks if number == source]
    scales = [way[1] for _, way in chosen if way]
    return Heard(
        np.array([sent_s for sent_s, _ in chosen]),
        np.array([way[0] if way else np.nan for _, way in chosen]),
        20 * float(np.log10(np.median(scales))) if scales else float("nan"),
    )


def main() -> None:
    server, inputs, outputs, seconds = sys.argv[1:]
    rig = Rig(server, int(inputs), int(outputs), float(seconds))
    print("ready", flush=True)
    sys.stdin.readline()
    gc.disable()  # while it plays
    rig.run()
    print(json.dumps(rig.outcome()), flush=True)


if __name__ == "__main__":
    main()
