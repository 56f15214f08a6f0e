import pytest

from jambridge.latency import budget
from jambridge.latency.budget import Basis, Kind, Stage, Verdict, Way


def way(*figures_ms: float | None, path: str = "host") -> Way:
    return Way(Kind.HEARD, "Anna", path, tuple(Stage(f"stage {number}", ms) for number, ms in enumerate(figures_ms)))


@pytest.mark.parametrize(
    ("figures_ms", "path", "verdict"),
    [
        ((20.0, 30.0), "host", Verdict.GOOD),
        ((20.0, 30.1), "host", Verdict.ACCEPTABLE),
        ((20.0, 80.1), "host", Verdict.TOO_LONG),
        ((20.0, 60.0), "srflx", Verdict.GOOD),
        ((20.0, 80.1), "relay", Verdict.TOO_LONG),
        ((20.0, None), "host", Verdict.GOOD),
        ((60.0, None), "host", Verdict.ACCEPTABLE),
        ((None,), "host", Verdict.UNKNOWN),
        ((), "host", Verdict.UNKNOWN),
    ],
)
def test_50_ms_are_good_on_one_network_and_100_anywhere(
    figures_ms: tuple[float | None, ...], path: str, verdict: Verdict
) -> None:
    assert way(*figures_ms, path=path).verdict is verdict


def test_the_longest_stage_is_the_longest_known() -> None:
    longest = way(3.0, None, 9.0, 1.0).longest

    assert longest is not None
    assert longest.name == "stage 2"
    assert way(None).longest is None


def test_json_says_what_each_figure_rests_on() -> None:
    found = Way(Kind.SENT, "Anna", "relay", (Stage("network", None, Basis.UNKNOWN), Stage("packet", 12.5)), ("theirs",))

    assert budget.as_json(found) == {
        "kind": "sent",
        "who": "Anna",
        "path": "relay",
        "stages": [
            {"name": "network", "ms": None, "basis": "not measured"},
            {"name": "packet", "ms": 12.5, "basis": "measured"},
        ],
        "sum_ms": 12.5,
        "whole": False,
        "beyond": ["theirs"],
        "bar_ms": 100.0,
        "verdict": "good",
        "doubt": None,
        "longest": "packet",
        "remedy": None,
    }
