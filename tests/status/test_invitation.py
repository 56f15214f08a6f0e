"""What a terminal, or a journal, is shown at the start: how others get in."""

import io

import pytest
import segno

from jambridge.hub_host import HubAddress
from jambridge.status import invitation
from jambridge.units import RoomCode

CODE = RoomCode("ABC123")
HUB = HubAddress("http://192.168.1.7:3001", "https://192.168.1.7:3443")
URL = "https://192.168.1.7:3443/jam/ABC123"
PLAIN = f"Room {CODE}, link {URL}\n"
BORDER = 2
LIGHT = {" ": (0, 0), "\u2580": (1, 0), "\u2584": (0, 1), "\u2588": (1, 1)}
"""Of a character's upper and lower half: on a dark terminal what is drawn is what shines."""


@pytest.fixture(autouse=True)
def _a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)


@pytest.mark.parametrize(
    ("base", "hub", "link"),
    [
        (None, HUB, URL),
        ("https://example.org", HUB, "https://example.org/jam/ABC123"),
        ("https://example.org/", None, "https://example.org/jam/ABC123"),
        (None, None, None),
    ],
)
def test_the_link_begins_as_configured_or_at_the_hubs_own_page(
    base: str | None, hub: HubAddress | None, link: str | None
) -> None:
    assert invitation.known_link(base, hub, CODE) == link


def test_a_terminal_is_shown_room_link_and_the_links_code(capsys: pytest.CaptureFixture[str]) -> None:
    invitation.invite(CODE, URL)

    room, link, *drawn = capsys.readouterr().out.strip("\n").splitlines()
    assert (room.split(), link.split()) == (["Room", CODE], ["Link", URL])
    dark = modules(drawn)
    assert dark == [list(row) for row in segno.make_qr(URL, error="l").matrix]
    finder = [7 * [1], [1, 0, 0, 0, 0, 0, 1], *3 * [[1, 0, 1, 1, 1, 0, 1]], [1, 0, 0, 0, 0, 0, 1], 7 * [1]]
    for rows, columns in ((slice(7), slice(7)), (slice(7), slice(-7, None)), (slice(-7, None), slice(7))):
        assert [row[columns] for row in dark[rows]] == finder, "a camera finds it by these"


def modules(drawn: list[str]) -> list[list[int]]:
    """The code's rows, 1 for dark, without the light border, which must be there."""
    halves = [[LIGHT[character] for character in line] for line in drawn]
    rows = [[1 - half[which] for half in line] for line in halves for which in (0, 1)]
    side = len(rows[0]) - 2 * BORDER
    inner = [row[BORDER:-BORDER] for row in rows[BORDER : BORDER + side]]
    dark = sum(map(sum, rows[: 2 * BORDER + side]))
    assert dark == sum(map(sum, inner)), "the border is light"
    return inner


def test_a_journal_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    invitation.invite(CODE, URL)
    assert capsys.readouterr().out == PLAIN


def test_a_room_without_a_hub_has_no_link_yet(capsys: pytest.CaptureFixture[str]) -> None:
    invitation.invite(CODE, None)
    assert capsys.readouterr().out == f"Room {CODE}\n"


def test_a_terminal_that_has_no_such_characters_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding="ascii", write_through=True))
    invitation.invite(CODE, URL)
    assert shown.getvalue().decode() == PLAIN


def test_a_terminal_that_is_gone_is_no_reason_to_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("sys.stdout", Gone())
    invitation.invite(CODE, URL)
    assert caplog.messages == [f"nobody reads our output: {PLAIN.strip()} error=Broken pipe"]
