"""The process of MIDI at a real JACK server, with instruments that come, go, and send back what they hear."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from jambridge.errors import ExitStatus
from jambridge.midi import control
from jambridge.midi import message as midi
from jambridge.midi import process as midi_process
from jambridge.midi.control import Followed, Gone, Hush, Panic, Played, Settings
from jambridge.midi.merge import silence
from jambridge.midi.message import MAX_SYSEX_JACK
from jambridge.midi.ports import NONE
from jambridge.midi.process import MidiProcess
from jambridge.typed_json import MAX_BYTES
from jambridge.units import LocalSeconds
from tests.fakes.instrument import PERIOD_FRAMES, instrument
from tests.fakes.jack import Jack, jack
from tests.fakes.lines import until
from tests.fakes.midi_process import MidiLine, midi_line, passing_on, tick

NOTICED_S = 2.0
CHORD = [bytes((0x90, note, 80)) for note in range(30, 94)]
PEDAL = midi.control(0, 64, 127)


@pytest.fixture(scope="module")
def server() -> Iterator[Jack]:
    with jack(period_frames=PERIOD_FRAMES) as running:
        yield running


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def test_what_is_played_comes_up_and_what_comes_down_is_played(server: Jack, mark: Path) -> None:
    with instrument(server, "keys") as keys, midi_line(server.environment, mark) as line:
        line.until_ports(1, 1)
        keys.play(b"\x90\x3c\x40", b"\xf8", b"\xfe", b"\xf0\x01\xf7", b"\x80\x3c\x40")
        until(lambda: len(line.played) == 2, "both arrive")
        line.play(b"\x90\x40\x40")
        keys.until_heard(1)

        assert [one.message for one in line.played] == [b"\x90\x3c\x40", b"\x80\x3c\x40"]
        assert keys.messages() == [b"\x90\x40\x40"]
        assert line.quit() == ExitStatus.OK
        assert not mark.exists()


def test_instruments_are_found_and_missed_and_nobodys_port_is_our_own(server: Jack, mark: Path) -> None:
    with midi_line(server.environment, mark) as line, midi_line(server.environment, mark) as other:
        server.await_ports("pulse", 4)
        with instrument(server, "keys") as keys:
            assert until(lambda: line.report.inputs == ("keys:out",), "found") < NOTICED_S
            line.until_ports(1, 1)
            other.until_ports(1, 1)
            keys.play(b"\x90\x3c\x40")
            until(lambda: line.played, "it plays")
        assert until(lambda: line.report.inputs == (), "missed") < NOTICED_S
        until(lambda: Gone(line.played[0].source) in line.told, "and what it held is over")


def test_only_ports_that_are_named_and_a_name_that_is_wrong_is_answered_with_those_there_are(
    server: Jack, mark: Path
) -> None:
    with (
        instrument(server, "keys"),
        instrument(server, "synth"),
        midi_line(server.environment, mark, Settings(inputs=("Keys",), outputs=("organ",))) as line,
    ):
        line.until_ports(1, 0)
        assert line.report.inputs == ("keys:out",)
        assert line.report.problem == "no MIDI output is called 'organ'; there are: keys in:in, synth in:in"


@pytest.mark.parametrize("way", ["quit", "hush", "panic", "abandoned"])
def test_what_is_held_ends_whichever_way(server: Jack, mark: Path, way: str) -> None:
    with instrument(server, "synth") as synth, midi_line(server.environment, mark) as line:
        line.until_ports(1, 1)
        for message in [*CHORD, PEDAL]:
            line.play(message, source=7)
        until(lambda: len(synth.holds.notes) == len(CHORD) and synth.holds.pedals, "it sounds")
        match way:
            case "quit":
                line.quit()
            case "hush":
                line.tell(Hush(7))
            case "panic":
                line.tell(Panic())
            case _:
                line.abandon()
        assert until(lambda: not synth.holds, "silence") < NOTICED_S


def test_after_one_that_was_killed_the_next_silences_what_it_finds(server: Jack, mark: Path) -> None:
    with instrument(server, "synth") as synth:
        with midi_line(server.environment, mark) as line:
            line.until_ports(1, 1)
            line.play(CHORD[0])
            synth.until_heard(1)
            line.process.kill()
            line.process.wait(5)
        assert synth.holds
        with midi_line(server.environment, mark) as line:
            synth.until_heard(1 + len(silence()))
            assert not synth.holds
            line.quit()
        heard = len(synth.heard)
        with midi_line(server.environment, mark) as line:
            line.until_ports(1, 1)
            line.play(CHORD[0])
            synth.until_heard(heard + 1)
        assert synth.messages()[heard] == CHORD[0]


def test_a_server_that_ends_ends_the_process_and_none_is_told_in_a_line(server: Jack, mark: Path) -> None:
    missing = {**server.environment, "JACK_DEFAULT_SERVER": "nobody"}
    with midi_line(missing, mark) as line:
        until(lambda: line.report.problem == NONE, lambda: str(line.report))
    with jack(period_frames=PERIOD_FRAMES) as own, midi_line(own.environment, mark) as line:
        own.await_ports("pulse", 2)
        own.unplug()
        assert line.process.wait(10) == ExitStatus.IO
        assert line.report.problem == "the JACK server has stopped"


def test_an_instrument_that_sends_back_what_it_hears_is_not_heard(server: Jack, mark: Path) -> None:
    with instrument(server, "thru") as thru, midi_line(server.environment, mark) as line:
        line.until_ports(1, 1)
        for message in CHORD[:3]:
            line.play(message)
        thru.until_heard(3)
        thru.play(*thru.messages(), b"\x91\x3c\x40")
        until(lambda: line.played, "its own note arrives")
        until(lambda: line.report.echoes == 3, lambda: str(line.report))
        assert [one.message for one in line.played] == [b"\x91\x3c\x40"]


def test_a_note_that_is_early_waits_and_one_that_is_late_does_not(server: Jack, mark: Path) -> None:
    with instrument(server, "synth") as synth, midi_line(server.environment, mark) as line:
        line.until_ports(1, 1)
        due = time.monotonic() + 0.15
        line.play(CHORD[0], due=due)
        line.play(CHORD[1], source=2, due=due - 1)
        synth.until_heard(2)
        assert synth.messages() == [CHORD[1], CHORD[0]]
        assert synth.heard[1][0] > due - 0.001


def test_after_a_pause_of_the_machine_a_notes_end_does_not_overtake_its_beginning(server: Jack, mark: Path) -> None:
    with instrument(server, "synth") as synth, midi_line(server.environment, mark) as line:
        line.until_ports(1, 1)
        due = time.monotonic() + 0.5
        line.play(CHORD[0], due=due)
        line.play(CHORD[1], source=2)
        synth.until_heard(1)  # so it has read what came before
        line.process.send_signal(signal.SIGSTOP)
        line.play(midi.note_off(0, CHORD[0][1]), due=due)
        until(lambda: time.monotonic() > due, "both are due")
        line.process.send_signal(signal.SIGCONT)
        synth.until_heard(3)
        assert synth.messages() == [CHORD[1], CHORD[0], midi.note_off(0, CHORD[0][1])]


def test_a_system_exclusive_that_jack_does_not_take_is_counted_and_others_pass(server: Jack, mark: Path) -> None:
    longest = b"\xf0" + bytes(MAX_SYSEX_JACK - 2) + b"\xf7"
    with instrument(server, "synth") as synth, midi_line(server.environment, mark) as line:
        line.until_ports(1, 1)
        line.play(b"\xf0" + bytes(MAX_SYSEX_JACK - 1) + b"\xf7")
        line.play(longest)
        synth.until_heard(1)
        until(lambda: line.report.sent == 1, lambda: str(line.report))
        assert synth.messages() == [longest]
        assert (line.report.too_long, line.report.dropped) == (1, 1)


def test_the_end_of_a_note_that_had_not_begun_is_counted(server: Jack, mark: Path) -> None:
    with instrument(server, "synth"), midi_line(server.environment, mark) as line:
        line.until_ports(1, 1)
        line.play(midi.note_off(0, 60))
        until(lambda: line.report.dropped == 1, lambda: str(line.report))


def test_where_nobody_reads_what_an_input_held_is_over_once_somebody_does(server: Jack, mark: Path) -> None:
    with (
        instrument(server, "keys") as keys,
        midi_line(server.environment, mark) as line,
        midi_line(server.environment, mark.with_name("2"), Settings(outputs=())) as witness,
    ):
        line.until_ports(1, 1)
        witness.until_ports(1, 0)
        line.pause()
        for count in range(1, 17):
            keys.play(*CHORD)
            until(partial(_has_played, witness, count * len(CHORD)), lambda: f"{len(witness.played)} arrive")
        line.resume()
        until(lambda: line.report.dropped, "it reads again")

        keys.play(PEDAL)
        until(lambda: line.played[-1].message == PEDAL, "what is played now")
        assert Gone(line.played[0].source) in line.told
        assert witness.told == []


def _has_played(line: MidiLine, count: int) -> bool:
    return len(line.played) >= count


def test_of_too_many_that_are_early_the_first_do_not_wait(server: Jack, mark: Path) -> None:
    most, due = midi_process._MOST_DUE, time.monotonic() + 60
    notes = [bytes((0x90 | number // 128, number % 128, 1)) for number in range(most + 3)]
    with instrument(server, "synth") as synth, midi_line(server.environment, mark) as line:
        line.until_ports(1, 1)
        for number, note in enumerate(notes):
            line.play(note, due=due + number / 1000)
        synth.until_heard(3)
        assert synth.messages() == notes[:3]


@pytest.fixture
def idle(mark: Path) -> Iterator[tuple[MidiProcess, socket.socket]]:
    """One that does nothing by itself, here, and its parent's end."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(NOTICED_S)
    with ours, theirs:
        yield MidiProcess(mark, theirs), ours
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_more_than_can_be_taken_from_the_drivers_is_dropped_with_what_was_held(
    idle: tuple[MidiProcess, socket.socket],
) -> None:
    process, parent = idle
    at = LocalSeconds(time.monotonic())
    process._on_bytes(1, CHORD[0], at)
    process._take_in()
    for _ in range(midi_process._MOST_WAITING + 1):
        process._on_bytes(1, CHORD[1], at)
    process._take_in()
    process._on_bytes(1, CHORD[2], at)
    process._take_in()

    packets = [parent.recv(MAX_BYTES) for _ in range(3)]

    assert control.unpack(packets[0]) == Played(1, at, CHORD[0])
    assert control.decode(packets[1]) == Gone(1)
    assert control.unpack(packets[2]) == Played(1, at, CHORD[2])
    assert process._state().dropped == midi_process._MOST_WAITING + 1


def test_it_is_punctual_where_this_user_may_be(server: Jack, mark: Path) -> None:
    may_be = subprocess.run(["chrt", "--fifo", "3", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    with midi_line(server.environment, mark) as line:
        until(lambda: line.report.cpu_s, "it runs")
        pid = line.process.pid
        scheduling = os.sched_getscheduler(pid), os.sched_getparam(pid).sched_priority
    assert scheduling == ((os.SCHED_FIFO, 3) if may_be else (os.SCHED_OTHER, 0))


def test_the_clock_starts_runs_at_the_tempo_and_stops(server: Jack, mark: Path) -> None:
    with (
        instrument(server, "drums") as drums,
        midi_line(server.environment, mark, Settings(sends_clock=True)) as line,
    ):
        line.until_ports(1, 1)
        line.tell(tick(300, is_playing=True))
        drums.until_heard(150)
        line.tell(tick(300, is_playing=False))
        until(lambda: bytes((midi.STOP,)) in drums.messages(), "it stops")
        messages = drums.messages()
        position = next(one for one in messages if one[0] == midi.SONG_POSITION)
        assert messages.index(bytes((midi.CONTINUE,))) == messages.index(position) + 1
        ticks = [at for at, message in drums.heard if message[0] == midi.CLOCK]
        assert ticks[100] - ticks[0] == pytest.approx(100 * 60 / 300 / 24, rel=0.1)


def test_a_clock_that_comes_in_is_told_as_tempo_and_transport(server: Jack, mark: Path) -> None:
    sends = Settings(inputs=(), sends_clock=True)
    with (
        instrument(server, "cable") as cable,
        midi_line(server.environment, mark, sends) as master,
        midi_line(server.environment, mark.with_name("2"), Settings(outputs=(), follows_clock=True)) as line,
    ):
        master.until_ports(0, 1)
        line.until_ports(1, 0)
        master.tell(tick(150, is_playing=True))
        pass_on = passing_on(cable)

        def is_told() -> bool:
            pass_on()
            return any(isinstance(one, Followed) and one.tempo for one in line.told)

        until(is_told, "a tempo")
        assert Followed(is_playing=True) in line.told
        tempo = next(one.tempo for one in line.told if isinstance(one, Followed) and one.tempo)
        assert tempo == pytest.approx(150, rel=0.2)
