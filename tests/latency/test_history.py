import json
import multiprocessing
from pathlib import Path

import pytest

from jambridge.errors import DeviceError
from jambridge.latency import history
from jambridge.latency.budget import Kind, Stage, Way
from jambridge.strict_json import JsonObject


def measured(sum_ms: float | None, who: str = "Anna", at: str = "2026-01-02T03:04:05+00:00") -> JsonObject:
    return history.entry(at, [Way(Kind.HEARD, who, "host", (Stage("network", sum_ms),))])


def add_ten(directory: Path, who: str) -> None:
    for number in range(10):
        history.add(directory, measured(float(number), who))


def test_what_was_measured_comes_back_in_its_order(tmp_path: Path) -> None:
    entries = [measured(20.0), measured(None), measured(30.5, "Ben")]
    for one in entries:
        history.add(tmp_path, one)

    assert history.read(tmp_path) == entries
    assert [path.name for path in tmp_path.iterdir()] == [history.FILE]


def test_nothing_measured_is_no_error(tmp_path: Path) -> None:
    assert history.read(tmp_path) == []


def test_only_a_thousand_are_kept(tmp_path: Path) -> None:
    lines = [json.dumps(measured(float(number))) for number in range(history.MOST_ENTRIES + 5)]
    (tmp_path / history.FILE).write_text("\n".join(lines) + "\n")

    history.add(tmp_path, measured(7777.0))

    kept = history.read(tmp_path)
    assert len(kept) == history.MOST_ENTRIES
    assert kept[0]["ways"][0]["sum_ms"] == 6
    assert kept[-1]["ways"][0]["sum_ms"] == 7777


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "{}", '{"at": 1, "ways": "abc"}', '{"at": 1, "ways": [{"kind": 1}]}', "\x00\xff", "[" * 50_000,
     '{"at": "", "ways": [{"kind": "", "who": "", "path": 0, "whole": 0, "stages": 0, "verdict": "", "sum_ms": []}]}'],
)  # fmt: skip
def test_a_damaged_line_is_left_out(line: str, tmp_path: Path) -> None:
    good = json.dumps(measured(20.0))
    (tmp_path / history.FILE).write_bytes(f"{good}\n{line}\n{good}\n".encode("latin-1"))

    assert history.read(tmp_path) == [measured(20.0)] * 2


def test_two_commands_at_once_lose_nothing(tmp_path: Path) -> None:
    both = [multiprocessing.Process(target=add_ten, args=(tmp_path, who)) for who in ("Anna", "Ben")]
    for one in both:
        one.start()
    for one in both:
        one.join(30)

    assert len(history.read(tmp_path)) == 20


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / history.FILE).mkdir()

    with pytest.raises(DeviceError, match="latency.jsonl"):
        history.add(tmp_path, measured(1.0))


def test_a_series_is_one_way_over_time_without_what_was_not_measured() -> None:
    entries = [measured(20.0), measured(None), measured(31.0, "Ben"), measured(22.0)]

    assert history.series(entries) == [
        history.Series("heard", "Anna", (20.0, 22.0)),
        history.Series("heard", "Ben", (31.0,)),
    ]
