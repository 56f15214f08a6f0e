from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jambridge.doctor import finding
from jambridge.doctor.finding import MAX_REASON, failure, good, note, quoted, warning

ALL = [
    replace(good("connection", "it answers"), seconds=0.1234567),
    note("index", "cannot be seen"),
    warning("clock", "60 s behind", "set it"),
    failure("table", "there is none", "make it"),
]


def test_findings_are_read_as_a_list_with_signs_and_remedies() -> None:
    assert finding.as_text(ALL).splitlines() == [
        "✓ connection  it answers  (0.12 s)",
        "· index       cannot be seen",
        "! clock       60 s behind",
        "              → set it",
        "✗ table       there is none",
        "              → make it",
    ]


def test_the_json_says_the_same_and_whether_all_is_well() -> None:
    said = finding.as_json(ALL)

    assert said["ok"] is False
    assert finding.as_json(ALL[:3])["ok"] is True
    assert said["findings"][0] == {
        "check": "connection",
        "verdict": "good",
        "reason": "it answers",
        "remedy": None,
        "seconds": 0.1235,
    }
    assert said["findings"][3]["remedy"] == "make it"


def test_nothing_looked_at_is_no_failure() -> None:
    assert finding.as_text([]) == ""
    assert not finding.failed([])


@given(st.text())
def test_what_others_say_stays_one_short_printable_line(text: str) -> None:
    line = quoted(text)

    assert line.isprintable()
    assert len(line) <= MAX_REASON


def test_a_server_cannot_paint_the_terminal() -> None:
    assert quoted("no\x1b[2J such\r\ntable") == "no?[2J such table"
