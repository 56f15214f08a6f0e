"""Log lines as the journal takes them."""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge import logs

SPEAK = """
import logging
from jambridge import logs
logs.configure("info", STYLE)
log = logging.getLogger("jambridge.room")
log.warning("a peer is %s id=%s name=%s", "lost", "ab12", "Ada")
"""
ASK = "print(type(logging.getLogger().handlers[0]).__name__)"


def parsed(entry: bytes) -> dict[str, str]:
    """As the journal reads it."""
    found = {}
    while entry:
        name, _, entry = entry.partition(b"\n")
        size = int.from_bytes(entry[:8], "little")
        found[name.decode()] = entry[8 : 8 + size].decode()
        assert entry[8 + size : 9 + size] == b"\n"
        entry = entry[9 + size :]
    return found


def record(phrase: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("jambridge.room", logging.WARNING, __file__, 1, phrase, values, None)


@contextmanager
def journal(directory: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as reader:
        reader.bind(str(directory / "journal"))
        reader.settimeout(10)
        yield reader


def test_an_entry_has_a_priority_an_event_and_every_value_as_a_field(tmp_path: Path) -> None:
    with journal(tmp_path) as reader:
        handler = logs.Journal(str(tmp_path / "journal"))
        handler.emit(record("a peer is %s id=%s name=%s", "lost", "ab12", "Ada\nMESSAGE=forged"))
        handler.close()
        entry = parsed(reader.recv(65_536))

    assert entry == {
        "MESSAGE": "jambridge.room: a peer is lost id=ab12 name=Ada\nMESSAGE=forged",
        "PRIORITY": "4",
        "LOGGER": "jambridge.room",
        "SYSLOG_IDENTIFIER": "jambridge",
        "EVENT": "a peer is lost",
        "ID": "ab12",
        "NAME": "Ada\nMESSAGE=forged",
    }


def test_what_the_journal_does_not_take_is_a_line_with_its_priority(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = logs.Journal(str(tmp_path / "none"))
    handler.emit(record("no room\nfor this"))
    handler.close()

    assert capsys.readouterr().err == "<4>jambridge.room: no room\n<4>for this\n"


def test_the_journal_is_used_where_it_reads_our_output() -> None:
    ours, theirs = os.pipe()
    read_by = os.fstat(theirs)
    said = subprocess.run(
        [sys.executable, "-c", "import logging; from jambridge import logs\nlogs.configure('info', 'auto')\n" + ASK],
        env={**os.environ, "JOURNAL_STREAM": f"{read_by.st_dev}:{read_by.st_ino}"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        check=True,
    )
    os.close(theirs)
    os.close(ours)
    assert said.stdout == "Journal\n"


def test_without_a_journal_behind_our_output_lines_are_for_people() -> None:
    environment = {**os.environ, "JOURNAL_STREAM": "8:12345"}  # somebody else's
    said = subprocess.run(
        [sys.executable, "-c", SPEAK.replace("STYLE", '"auto"')],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stderr[8:] == " W jambridge.room: a peer is lost id=ab12 name=Ada\n"


def test_json_has_the_same_fields() -> None:
    said = subprocess.run(
        [sys.executable, "-c", SPEAK.replace("STYLE", '"json"')], capture_output=True, text=True, check=True
    )
    line = json.loads(said.stderr)
    assert (line["level"], line["message"]) == ("warning", "a peer is lost id=ab12 name=Ada")
    assert (line["event"], line["id"], line["name"]) == ("a peer is lost", "ab12", "jambridge.room")


def test_the_phrase_of_a_line_without_values_is_the_event() -> None:
    assert logs.fields(record("the room is 100 % full")) == {"event": "the room is 100 % full"}
    assert logs.fields(record("%s open card=%s rate_hz=%d", "line-in", "hw:1", 48_000)) == {
        "event": "line-in open",
        "card": "hw:1",
        "rate_hz": "48000",
    }


@given(values=st.lists(st.text() | st.integers(), min_size=2, max_size=2))
def test_any_values_are_fields(values: list[object]) -> None:
    assert logs.fields(record("gone peer=%s count=%s", *values)) == {
        "event": "gone",
        "peer": str(values[0]),
        "count": str(values[1]),
    }
