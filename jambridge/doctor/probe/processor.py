"""What the work of the light process takes here, in a process of its own as it has: prints it as JSON.

python -m jambridge.doctor.probe.processor
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jambridge import realtime
from jambridge.doctor.judge.processor import Machine
from jambridge.light import colour, ddp, scene
from jambridge.light.safety import FlashLimiter
from jambridge.notes.detector import Detector
from jambridge.notes.frame import HOP_FRAMES, Note
from jambridge.notes.onset import ONSET_BLOCK, OnsetDetector
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds, MidiNote, hz

GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_CHORD = (60, 64, 67, 71)
_FRAMES = 60
_WARM_UP = 10
_FEW, _MANY = 300, 1500
_LOOPS = 200_000
_BLOCKS = HOP_FRAMES // ONSET_BLOCK


def machine() -> Machine:
    try:
        governor = GOVERNOR.read_text().strip()
    except OSError:
        governor = ""
    return Machine(len(os.sched_getaffinity(0)), os.getloadavg()[1], governor)


def main() -> None:
    realtime.stop_collecting()
    few_s, many_s = _frame_s(_FEW), _frame_s(_MANY)
    pixel_s = max(0.0, (many_s - few_s) / (_MANY - _FEW))
    costs = {
        "detector_s": _detector_s(),
        "frame_s": max(0.0, few_s - _FEW * pixel_s),
        "pixel_s": pixel_s,
        "loop_s": _mean_s(_loop, 5),
    }
    sys.stdout.write(json.dumps(costs) + "\n")


def _detector_s() -> float:
    """A chord, hop by hop."""
    time_s = np.arange(HOP_FRAMES * (_FRAMES + _WARM_UP)) / SAMPLE_RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz(MidiNote(note)) * time_s) for note in _CHORD) / 8
    hops = iter(np.asarray(chord, np.float32).reshape(-1, HOP_FRAMES))
    detector, onsets = Detector(), OnsetDetector()

    def hear() -> None:
        hop = next(hops)
        onsets.process(hop[: _BLOCKS * ONSET_BLOCK].reshape(_BLOCKS, ONSET_BLOCK))
        detector.process(hop[np.newaxis])

    return _mean_s(hear, _FRAMES)


def _frame_s(pixels: int) -> float:
    """A frame that differs from the one before it: drawn, limited and packed."""
    limiter, count = FlashLimiter(), iter(range(_FRAMES + _WARM_UP))

    def show() -> None:
        number = next(count)
        sounding = [Note(MidiNote(note + number % 2), hz(MidiNote(note)), 0.7) for note in _CHORD]
        frame = colour.encode(scene.draw(sounding, 0.0, pixels, "chromatic"), colour.GAMMA)
        for _ in ddp.encode(limiter.limit(frame, LocalSeconds(number / 60)), number):
            pass

    return _mean_s(show, _FRAMES)


def _loop() -> None:
    """Work as Python's own is: names, numbers, a dictionary."""
    seen: dict[int, int] = {}
    for number in range(_LOOPS):
        seen[number & 255] = seen.get(number & 255, 0) + 1


def _mean_s(work: Callable[[], None], times: int) -> float:
    """Of this thread's own time, whatever else runs."""
    for _ in range(_WARM_UP if times == _FRAMES else 1):
        work()
    began_s = time.thread_time()
    for _ in range(times):
        work()
    return (time.thread_time() - began_s) / times


if __name__ == "__main__":
    main()
