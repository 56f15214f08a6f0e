"""What people read."""

import io

from rich.console import Console, RenderableType

from jambridge.config import AudioConfig, LightConfig
from jambridge.latency import compose, history, tables
from jambridge.latency.budget import Kind, Stage, Way
from tests.latency.statuses import peer, status


def read(drawn: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=140, color_system=None)
    with console.capture() as shown:
        console.print(drawn)
    return shown.get()


def row(text: str, word: str) -> str:
    """The first line with that word in it, its columns parted by one space."""
    return next(" ".join(line.split()) for line in text.splitlines() if word in line)


def test_each_way_is_a_row_with_its_sum_and_what_is_thought_of_it() -> None:
    slow = peer("Ben", latency_ms={"network": None, "playout": 61.0})
    now = status(peer("Anna"), slow, strips=1)
    before = status(peer("Anna", packets=600), peer("Ben", packets=800))
    text = read(tables.ways(compose.ways(before, now, 2.0, AudioConfig(), LightConfig())))

    assert row(text, "Anna") == "Anna host 7.5 0.4 6.1 8.0 22.0 good"
    assert row(text, "Ben") == "Ben host 12.5 ? 61.0 8.0 >81.5 acceptable: above 50 ms"
    assert row(text, "line-in") == "line-in - 8.0 - - ~7.0 8.3 23.3 good"
    assert "Ben: the longest part is the jitter buffer; sooner by audio.playout: normal → fast" in text
    assert "? is not measured" in text
    assert "~ is typical" in text
    assert "the other end's sound card" in text


def test_alone_and_in_the_dark_there_is_a_sentence() -> None:
    assert "nothing to measure" in read(tables.ways([]))


def test_names_are_no_markup() -> None:
    assert "[red]Anna" in read(tables.ways([Way(Kind.HEARD, "[red]Anna", "host", (Stage("packet", 1.0),))]))


def test_the_history_lists_the_newest_and_draws_each_way_over_time() -> None:
    entries = [
        history.entry(f"2026-01-02T03:04:{second:02}+00:00", [Way(Kind.HEARD, "Anna", "host", (Stage("x", ms),))])
        for second, ms in enumerate([20.0, 27.0, 34.0])
    ]
    text = read(tables.history(entries, history.series(entries)))

    assert text.count("2026-01-02") == 3
    assert "heard Anna 3 20.0 27.0 34.0 34.0 ▁▅█" in " ".join(text.split())


def test_an_empty_history_says_how_to_begin_one() -> None:
    assert "jambridge latency" in read(tables.history([], []))
