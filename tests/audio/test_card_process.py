"""The life of a card's process is its card's: absent, plugged in, pulled out, frozen, back; and nobody else notices."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest

from jambridge.audio.card import control
from jambridge.audio.card.control import CaptureReport, CaptureSettings
from jambridge.errors import ExitStatus
from jambridge.typed_json import MAX_BYTES
from tests.fakes.jack import Jack, jack
from tests.fakes.lines import LineIn, LineOut, line_in, line_out, until
from tests.fakes.sound_card import SoundCard, environment, sound_card
from tests.scenarios.tones import level_db, tones

BACK_S = 5.0
PATIENCE_S = 20.0
NOTICED_S = 2.0
Open = Callable[..., AbstractContextManager[LineIn | LineOut]]
MOST_GAPS = 8  # of 0.1 s in four seconds, on a machine under load
EITHER = pytest.mark.parametrize("open_line", [line_in, line_out], ids=["input", "output"])
LONG = pytest.mark.parametrize(
    "open_line", [line_in, pytest.param(line_out, marks=pytest.mark.slow)], ids=["input", "output"]
)
"""What both wait for, for seconds, by the same service."""


def lost(line: LineIn | LineOut) -> bool:
    return line.report.card.card is None


@EITHER
def test_an_absent_card_is_awaited_and_found_once_it_is_plugged_in(tmp_path: Path, open_line: Open) -> None:
    card = SoundCard(tmp_path / "card", "fake")
    with open_line("fake", card.environment) as line:
        line.until(lambda report: report.card.problem, "it says that the card is absent")
        assert "called 'fake'" in str(line.report.card.problem)
        pid = line.pid
        card.plug()
        try:
            assert line.until_open() < BACK_S
            assert line.pid == pid, "waiting is no failure"
            assert line.report.card.problem is None
        finally:
            card.unplug()


@EITHER
def test_where_no_card_is_there_and_none_was_asked_for_one_line_says_so(
    tmp_path: Path, open_line: Open, caplog: pytest.LogCaptureFixture
) -> None:
    absent = SoundCard(tmp_path / "card", "fake")
    with caplog.at_level(logging.INFO, "jambridge.audio.card.service"), open_line(None, absent.environment):
        until(lambda: bool(caplog.messages), "it is said")
    assert [message.partition(" has ")[2] for message in caplog.messages] == ["no sound card: none is there"]


@EITHER
def test_a_card_pulled_out_is_noticed_and_found_again(tmp_path: Path, open_line: Open) -> None:
    with sound_card(tmp_path / "card", "fake") as card, open_line("fake", card.environment) as line:
        line.until_open()
        child = psutil.Process(line.pid)
        card.unplug()
        assert until(lambda: lost(line), "it is noticed") < NOTICED_S
        child.wait(5)
        line.until(lambda report: "called 'fake'" in str(report.card.problem), "it looks again")
        card.plug()
        assert line.until_open() < BACK_S


@EITHER
def test_a_frozen_card_is_noticed_by_the_blocks_that_do_not_come(tmp_path: Path, open_line: Open) -> None:
    with sound_card(tmp_path / "card", "fake") as card, open_line("fake", card.environment) as line:
        line.until_open()
        child = psutil.Process(line.pid)
        card.freeze()
        assert until(lambda: lost(line), "it is noticed") < NOTICED_S
        assert line.report.card.problem == "the sound card fake has stopped or was unplugged"
        child.wait(5)
        card.thaw()
        assert line.until_open() < BACK_S


def test_a_frozen_jack_server_is_noticed_and_used_again() -> None:
    with jack() as server, line_in("system", server.environment) as line:
        line.until_open()
        server.freeze()
        assert until(lambda: lost(line), "it is noticed") < NOTICED_S
        server.thaw()
        line.until_open()


def test_a_jack_server_that_comes_later_is_used_and_one_that_is_killed_is_missed() -> None:
    server = Jack()
    with line_in("system", server.environment) as line:
        line.until(lambda report: report.card.problem, "it says that the card is absent")
        server.start()
        try:
            assert line.until_open() < BACK_S
            server.unplug()
            assert until(lambda: lost(line), "it is noticed") < NOTICED_S
        finally:
            server.stop()


@pytest.mark.parametrize("wanted", [pytest.param("first", marks=pytest.mark.slow), None], ids=["by name", "by default"])
def test_no_other_card_takes_the_place_of_one_that_is_gone(tmp_path: Path, wanted: str | None) -> None:
    with sound_card(tmp_path / "first", "first") as first, sound_card(tmp_path / "second", "second") as second:
        surroundings = environment(tmp_path, first, second)
        with line_in(wanted, surroundings) as line:
            line.until_open()
            used, other = (first, second) if line.report.card.card == "first" else (second, first)
            used.unplug()
            line.until(lambda report: f"called {used.name!r}" in str(report.card.problem), "it is missed")
            assert f"there are: {other.name}" in str(line.report.card.problem)
            until_s = time.monotonic() + 4
            while time.monotonic() < until_s:  # it looks again meanwhile
                assert line.report.card.card is None
                time.sleep(0.05)
            used.plug()
            line.until_open()
            assert line.report.card.card == used.name


@pytest.mark.slow
def test_looking_for_one_card_does_not_disturb_the_other(tmp_path: Path) -> None:
    absent = SoundCard(tmp_path / "absent", "absent")
    with sound_card(tmp_path / "card", "fake") as card:
        surroundings = environment(tmp_path, card, absent)
        with line_out("fake", surroundings) as out, line_in("absent", surroundings) as into:
            out.until_open()
            pid = out.pid
            into.until(lambda report: report.card.problem, "the input is absent")
            tone = tones(440.0, 440.0, seconds=4.0)
            with out.musician("Ann", tone), card.recording() as recorded:
                out.until(lambda report: report.level_dbfs > -20, "Ann is played")
                time.sleep(0.5)
                begin = len(recorded.samples)
                time.sleep(4)  # more than one look
                absent.plug()
                into.until_open()
                absent.unplug()
                until(lambda: lost(into), "the input is gone")
                heard = recorded.samples[begin:]
            windows = heard[: len(heard) // 4800 * 4800].reshape(-1, 4800, 2)
            gaps = [level_db(window, 440.0)[0] < -20 for window in windows]
            assert sum(gaps) <= MOST_GAPS, "a stream that was ended would be silent until the card is opened again"
            assert out.pid == pid


@EITHER
def test_a_killed_process_is_replaced(tmp_path: Path, open_line: Open) -> None:
    with sound_card(tmp_path / "card", "fake") as card, open_line("fake", card.environment) as line:
        line.until_open()
        os.kill(line.pid, signal.SIGKILL)
        until(lambda: lost(line), "it is noticed")
        assert line.until_open() < BACK_S


@LONG
def test_a_process_that_does_not_report_is_the_cards_problem_until_the_next_one_does(
    tmp_path: Path, open_line: Open
) -> None:
    with sound_card(tmp_path / "card", "fake") as card, open_line("fake", card.environment) as line:
        line.until_open()
        psutil.Process(line.pid).suspend()
        line.until(lambda report: "process has not reported for 3 s" in str(report.card.problem), "it is told")
        line.until_open()
        assert line.report.card.problem is None


@EITHER
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_time(tmp_path: Path, open_line: Open, number: signal.Signals) -> None:
    with sound_card(tmp_path / "card", "fake") as card, open_line("fake", card.environment) as line:
        line.until_open()
        child = psutil.Process(line.pid)
        began_s = time.monotonic()
        child.send_signal(number)
        child.wait(5)
        assert time.monotonic() - began_s < 1


@pytest.mark.parametrize(
    ("stopped_s", "open_line"),
    [(0.3, line_in), (0.3, line_out), (3.0, line_in), pytest.param(3.0, line_out, marks=pytest.mark.slow)],
)
def test_a_process_that_stood_still_has_its_card_again(tmp_path: Path, stopped_s: float, open_line: Open) -> None:
    """As a machine that slept, or was too busy."""
    with sound_card(tmp_path / "card", "fake") as card, open_line("fake", card.environment) as line:
        line.until_open()
        child = psutil.Process(line.pid)
        child.suspend()
        time.sleep(stopped_s)
        child.resume()
        blocks = line.report.card.blocks
        line.until(
            lambda report: report.card.card and report.card.blocks not in (0, blocks), "blocks come again", BACK_S
        )


def test_sound_that_was_lost_is_counted() -> None:
    """JACK tells of the first period that was not finished in time, and of none where it was late itself: so again."""
    with jack() as server, line_in("system", server.environment) as line:
        line.until_open()
        missed = line.report.card.missed
        child = psutil.Process(line.pid)
        until_s = time.monotonic() + PATIENCE_S
        while line.report.card.missed == missed:
            assert time.monotonic() < until_s, "nothing is counted"
            stand_still(line, child)


def stand_still(line: LineIn, child: psutil.Process) -> None:
    """Long enough to lose periods, and go on until a report of what came after."""
    child.suspend()
    time.sleep(0.1)
    child.resume()
    blocks = line.report.card.blocks
    line.until(lambda report: report.card.blocks > blocks + 50, "it goes on")


def test_a_fault_in_a_callback_is_counted_and_ends_no_stream() -> None:
    with jack() as server, faulty(server, 3) as (reports, *_):
        told = next(report.card for report in reports if report.card.blocks > 150)
        assert told.failed == 3


def test_where_every_callback_fails_the_process_ends_and_says_why() -> None:
    with jack() as server, faulty(server, 10_000) as (reports, process, _):
        assert max(report.card.failed for report in reports) > 0
        assert process.wait(PATIENCE_S) == ExitStatus.SOFTWARE
        assert process.stderr is not None
        assert "ZeroDivisionError" in process.stderr.read()


def test_a_fault_beside_the_callbacks_ends_the_process_at_once_and_it_says_why() -> None:
    with faulty(Jack(), -1) as (reports, process, _):
        assert list(reports) == []
        assert process.wait(PATIENCE_S) == ExitStatus.SOFTWARE
        assert process.stderr is not None
        assert "ZeroDivisionError" in process.stderr.read()


def test_however_many_messages_come_the_beats_are_a_tenth_of_a_second_apart() -> None:
    """The howl guard measures growth by them."""
    with faulty(Jack(), 0) as (reports, _, control_socket):
        first = last = next(reports)
        while last.silent_s < first.silent_s + 1:
            for _ in range(50):
                control_socket.send(control.encode(CaptureSettings()))
            last = next(reports)

    assert 0 < last.packets - first.packets <= 1 + (last.silent_s - first.silent_s) / 0.08


@contextmanager
def faulty(server: Jack, faults: int) -> Iterator[tuple[Iterator[CaptureReport], subprocess.Popen[str], socket.socket]]:
    """A process whose first callbacks fail, its reports until it ends, and what it is told by."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "tests.fakes.faulty_duty", str(faults), str(theirs.fileno())]
    process = subprocess.Popen(
        command, env=os.environ | server.environment, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True
    )
    theirs.close()
    ours.settimeout(PATIENCE_S)
    with process, ours:
        packets = iter(lambda: ours.recv(MAX_BYTES), b"")
        try:
            yield (one for one in map(control.decode, packets) if isinstance(one, CaptureReport)), process, ours
        finally:
            process.kill()


@EITHER
def test_it_leaves_when_it_is_asked_to_even_if_its_card_is_frozen(tmp_path: Path, open_line: Open) -> None:
    with sound_card(tmp_path / "card", "fake") as card:
        with open_line("fake", card.environment) as line:
            line.until_open()
            child = psutil.Process(line.pid)
            card.freeze()
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 1.5
        assert not child.is_running()
