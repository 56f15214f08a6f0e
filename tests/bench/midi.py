"""From an instrument at one box to that at another: `scripts/bench midi [notes|loss|clock|stuck|light] [how many]`.

Two daemons, each on a host of its own; the instruments hang on one JACK server. Times are from when a message is given
to the driver to when it is heard, so that both periods of the server are in them.
"""

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from jambridge.midi import message as midi
from tests.bench import midi_light
from tests.bench.midi_rig import PATIENCE_S, PERIOD_FRAMES, Rig, connected, open_rig
from tests.bench.stage import table
from tests.fakes.impaired import Impairment
from tests.fakes.instrument import Instrument, instrument
from tests.fakes.lines import until
from tests.scenarios.impaired import impaired

ROUGH_FRAMES = 256  # where the bench itself must hear everything on a busy machine, and milliseconds do not matter
NOTES, NOTES_A_SECOND = 10_000, 100
LOST_NOTES, LOSS, LOST_A_SECOND = 3_000, 0.05, 20
WITHIN_MS = 150.0
CLOCK_S, TEMPO = 60, 120.0
ROUNDS = 20
CHORD = [bytes((0x90, note, 80)) for note in range(30, 94)]
HELD = [*CHORD, midi.control(0, 64, 127)]
PER_PERIOD = 8
APART_S = 0.5  # two instruments of one name
WAYS = ("its port is pulled out", "stopped", "killed", "its process is killed", "the network fails")


def play_notes(first: Instrument, second: Instrument, count: int, a_second: float) -> tuple[np.ndarray, int, int]:
    """Delays in ms of the notes that came, how many did not, and how many came out of order."""
    second.heard.clear()
    first.played.clear()
    began = time.monotonic()
    for number in range(count):
        time.sleep(max(began + number / a_second - time.monotonic(), 0))
        before = [midi.note_off(*_name(number - 1))] if number else []
        first.play(*before, bytes((midi.NOTE_ON | _name(number)[0], _name(number)[1], 1 + number // 2048 % 127)))
    first.play(midi.note_off(*_name(count - 1)))
    time.sleep(1.5)
    sent = [at for at, message in first.played if midi.is_note_on(message)]
    delays: dict[int, float] = {}
    order, newest = 0, -1
    for at, message in tuple(second.heard):
        if midi.is_note_on(message):
            number = (message[2] - 1) * 2048 + (message[0] & 0xF) * 128 + message[1]
            delays[number] = (at - sent[number]) * 1000
            order += number < newest
            newest = max(number, newest)
    return np.array(list(delays.values())), count - len(delays), order


def _name(number: int) -> tuple[int, int]:
    """Channel and note: 2048 of them, one after the other."""
    return number // 128 % 16, number % 128


def notes(count: int = NOTES) -> None:
    with open_rig() as rig, instrument(rig.server, "play0") as first, instrument(rig.server, "play1") as second:
        connected(rig, first, second)
        before = _counted(rig)
        delays, lost, order = play_notes(first, second, count, NOTES_A_SECOND)
        counted = [f"{now - was - 2 * count:+d}" for was, now in zip(before, _counted(rig), strict=True)]
        row = [f"{np.percentile(delays, share):.2f}" for share in (0, 50, 99, 100)]
        (peer,) = rig.daemons[1].status()["midi"]["peers"]
        table(
            f"{count} notes, {NOTES_A_SECOND} a second, JACK {PERIOD_FRAMES} frames",
            (
                "",
                "least",
                "p50",
                "p99",
                "most, ms",
                "lost",
                "out of order",
                "between the boxes",
                "taken in",
                "arrived",
                "given out",
            ),
            [("note in → note out", *row, str(lost), str(order), f"{peer['latency_ms']} ms", *counted)],
        )


def _counted(rig: Rig) -> list[int]:
    """Messages taken in at the first box, arrived at the second, and given out there, by their last reports."""
    time.sleep(1.5)
    first, second = (daemon.status()["midi"] for daemon in rig.daemons)
    return [first["sent"], second["received"], second["played"]]


def loss(count: int = LOST_NOTES) -> None:
    with (
        open_rig(ROUGH_FRAMES) as rig,
        instrument(rig.server, "play0") as first,
        instrument(rig.server, "play1") as second,
    ):
        connected(rig, first, second)
        with impaired(rig.hosts[1], Impairment(loss=LOSS)):
            delays, lost, order = play_notes(first, second, count, LOST_A_SECOND)
            in_time = 100 * float((delays <= WITHIN_MS).sum()) / count
        until(lambda: not second.holds, "nothing sounds", PATIENCE_S)
        peers = rig.daemons[1].status()["midi"]["peers"]
        row = [f"{np.percentile(delays, share):.1f}" for share in (50, 99, 100)]
        table(
            f"{count} notes, {LOST_A_SECOND} a second, {LOSS:.0%} of packets lost each way",
            ("p50", "p99", "most, ms", f"within {WITHIN_MS:.0f} ms", "lost", "out of order", "repaired", "stuck"),
            [
                (
                    *row,
                    f"{in_time:.2f} %",
                    str(lost),
                    str(order),
                    str(peers[0]["repaired"]),
                    str(len(second.holds.notes)),
                )
            ],
        )


def clock(seconds: int = CLOCK_S) -> None:
    with (
        open_rig(clock="send") as rig,
        instrument(rig.server, "play0") as first,
        instrument(rig.server, "play1") as second,
    ):
        for daemon in rig.daemons:
            daemon.await_status(lambda status: status["midi"]["outputs"], "the ports are open")
        rig.daemons[0].change(tempo=TEMPO, isPlaying=True)
        time.sleep(10.0)
        first.heard.clear()
        second.heard.clear()
        time.sleep(seconds)
        ticks = [np.array([at for at, one in tuple(who.heard) if one[0] == midi.CLOCK]) for who in (first, second)]
        rows = [_regularity(f"box {number}", times) for number, times in enumerate(ticks)]
        nearest = np.array([np.abs(ticks[1] - at).min() for at in ticks[0][5:-5]]) * 1000
        late = [daemon.status()["midi"]["clock"]["late_ms"] for daemon in rig.daemons]
        table(
            f"clock at {TEMPO:.0f} bpm, {seconds} s, JACK {PERIOD_FRAMES} frames",
            ("", "interval, ms", "sd", "longest", "drift, ms"),
            rows,
        )
        table(
            "between the two",
            ("phase p50", "p99", "most, ms", "late last second, ms"),
            [(*(f"{np.percentile(nearest, share):.2f}" for share in (50, 99, 100)), str(late))],
        )


def _regularity(name: str, times: "np.ndarray[Any, Any]") -> tuple[str, ...]:
    gaps = np.diff(times) * 1000
    expected = 60_000 / TEMPO / 24
    line = np.polyfit(np.arange(len(times)), times * 1000, 1)
    drift = (line[0] - expected) * len(times)
    return (name, f"{gaps.mean():.3f}", f"{gaps.std():.3f}", f"{gaps.max():.2f}", f"{drift:+.2f}")


def stuck(rounds: int = ROUNDS) -> None:
    """Each round: 64 notes and a pedal are held, and then whoever plays them is gone in one of several ways."""
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    with open_rig(ROUGH_FRAMES) as rig, instrument(rig.server, "play1") as second:
        for number, way in zip(range(rounds), itertools.cycle(WAYS), strict=False):
            with ExitStack() as plugged:
                first = plugged.enter_context(instrument(rig.server, "play0"))
                connected(rig, first, second)
                for start in range(0, len(HELD), PER_PERIOD):
                    first.play(*HELD[start : start + PER_PERIOD])
                    time.sleep(0.005)
                until(lambda: _all_held(second), f"round {number} sounds: {len(second.holds.notes)}", PATIENCE_S)
                began = time.monotonic()
                mend = _lose(rig, way, plugged)
                until(lambda: not second.holds, f"round {number}, {way}: silence", PATIENCE_S)
                took[way].append(time.monotonic() - began)
            mend()
            second.heard.clear()
            time.sleep(APART_S)
    table(
        f"64 notes and a pedal held, {rounds} rounds",
        ("who plays", "rounds", "silent after p50", "most, s"),
        [(way, str(len(one)), f"{np.median(one):.2f}", f"{max(one):.2f}") for way, one in took.items() if one],
    )


def _all_held(second: Instrument) -> bool:
    return len(second.holds.notes) == len(CHORD) and bool(second.holds.pedals)


def _lose(rig: Rig, way: str, plugged: ExitStack) -> Callable[[], None]:
    """Do it; how it is made good again."""
    daemon = rig.daemons[0]
    match way:
        case "its port is pulled out":
            plugged.close()
        case "stopped":
            daemon.process.send_signal(signal.SIGTERM)
        case "killed":
            for process in daemon.children("jambridge.midi.process"):
                process.kill()  # as a service manager does, so that nobody is left to tidy up
            daemon.process.kill()
        case "its process is killed":
            daemon.kill_child("jambridge.midi.process")
        case _:
            rig.hosts[0].unplug()

    def again() -> None:
        if way in {"stopped", "killed"}:
            daemon.process.wait(10)
            rig.daemons[0] = rig.start(0)
        elif way == "the network fails":
            rig.hosts[0].plug_in()

    return again


def main(which: str = "", many: str = "") -> None:
    if os.geteuid():
        raise SystemExit("the benches make network namespaces: please run them as root")
    benches: dict[str, Callable[..., None]] = {
        "notes": notes,
        "loss": loss,
        "clock": clock,
        "stuck": stuck,
        "light": midi_light.light,
    }
    for name, bench in benches.items():
        if which in ("", name):
            bench(*((int(many),) if many else ()))


if __name__ == "__main__":
    main(*sys.argv[1:])
