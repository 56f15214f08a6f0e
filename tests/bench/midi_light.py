"""From an instrument to the strips of both boxes, the one it is plugged into and the other.

Times are from when the note is given to the driver to the kernel's arrival, on the WLED's wire, of the packet that
completes the first frame with the note's colour.
"""

import random
import time

import numpy as np

from jambridge.midi import message as midi
from tests.bench.midi_rig import PATIENCE_S, PERIOD_FRAMES, PIXELS, open_rig
from tests.bench.stage import table
from tests.fakes.instrument import Instrument, instrument
from tests.scenarios.capture import Capture, capture
from tests.scenarios.daemon import Status, is_driven
from tests.scenarios.palette import pitch_classes

NOTES = 300
LIT_S, DARK_S = 0.2, (0.2, 0.3)  # fewer than three flashes a second
DRONE = 48  # whose pitch class no other note has
MISSED_AFTER_S = 0.15


def light(count: int = NOTES) -> None:
    with (
        open_rig(lit=True) as rig,
        instrument(rig.server, "play0") as first,
        capture(rig.strips[0]) as local,
        capture(rig.strips[1]) as remote,
    ):
        rig.daemons[0].await_status(lambda status: status["midi"]["inputs"], "the port is open")
        for daemon in rig.daemons:
            daemon.await_status(_is_connected, "the boxes are connected", PATIENCE_S)
            daemon.await_status(is_driven, "the strip is driven", PATIENCE_S)
        rows = []
        for act, drone in (("alone", None), ("beside another", DRONE)):
            if drone is not None:
                first.play(bytes((midi.NOTE_ON, drone, 60)))
            struck = _strike(first, count)
            if drone is not None:
                first.play(midi.note_off(0, drone))
            rows += [(f"{act}, {where}", *_lit(struck, wire)) for where, wire in (("here", local), ("there", remote))]
    table(
        f"{count} notes of {LIT_S} s each, JACK {PERIOD_FRAMES} frames, strips of {PIXELS}: note in → packet, ms",
        ("", "p50", "p90", "p99", "most", "missed"),
        rows,
    )


def _strike(first: Instrument, count: int) -> list[tuple[float, int]]:
    """When, and which pitch class."""
    chance = random.Random(1)  # so that notes fall anywhere between two frames
    first.played.clear()
    for number in range(count):
        note = DRONE + 12 + 1 + 4 * number % 11
        first.play(bytes((midi.NOTE_ON, note, 100)))
        time.sleep(LIT_S)
        first.play(midi.note_off(0, note))
        time.sleep(chance.uniform(*DARK_S))
    return [(at, one[1] % 12) for at, one in first.played if midi.is_note_on(one) and one[1] != DRONE]


def _lit(struck: list[tuple[float, int]], wire: Capture) -> tuple[str, ...]:
    shown = [(frame.at, pitch_classes(frame.pixels)) for frame in wire.frames(PIXELS, struck[0][0])]
    delays = []
    for at, pitch_class in struck:
        later = (one for one, seen in shown if at <= one < at + MISSED_AFTER_S and pitch_class in seen)
        delays.append((next(later, np.inf) - at) * 1000)
    quantiles = np.quantile(delays, [0.5, 0.9, 0.99, 1.0], method="higher")
    return (*(f"{one:.1f}" for one in quantiles), str(int(np.isinf(delays).sum())))


def _is_connected(status: Status) -> bool:
    return [peer["state"] for peer in status["audio"]["peers"]] == ["connected"]
