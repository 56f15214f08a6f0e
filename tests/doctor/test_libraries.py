import asyncio
import sys

import pytest

from jambridge.doctor.finding import Verdict
from jambridge.doctor.judge import libraries
from jambridge.doctor.probe import libraries as probe
from tests.doctor.look import look
from tests.doctor.test_rights import ALONE, NOTHING
from tests.fakes.worlds import ROOT, elsewhere

REQUIRED = ["aiohttp<4,>=3.14", "aiortc==1.16.0", 'pytest<10,>=9; extra == "dev"', "websockets>=14"]


def test_what_is_installed_here_is_as_it_has_to_be() -> None:
    found = libraries.libraries(probe.required(), probe.installed(), asyncio.run(probe.broken()))

    assert [(one.verdict, one.reason) for one in found if one.verdict is not Verdict.GOOD] == []
    assert libraries.python(sys.version_info[:3]).verdict is Verdict.GOOD


def test_a_library_is_the_same_however_its_name_is_written() -> None:
    (found,) = libraries.libraries(["prometheus-client>=0.2"], {"Prometheus_client": "0.22"}, {})

    assert found.verdict is Verdict.GOOD


@ROOT
def test_a_library_that_does_not_load_is_named() -> None:
    """Debian's libopus is not a file that can be loaded."""
    script = 'mount --make-rprivate / && mount --bind /dev/null "$(readlink -f "$1")" && shift && exec "$@"'
    path = next(place for place in probe_paths() if "libopus.so.0" in place)
    found = look(NOTHING, "libraries", before=elsewhere(script, path), environment=ALONE)["libraries"]

    assert found.verdict is Verdict.FAILURE
    assert found.reason.startswith("libopus does not load")
    assert found.remedy == "sudo apt install libopus0"


def probe_paths() -> list[str]:
    import subprocess

    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    return [line.rpartition("=> ")[2] for line in listed.splitlines()]


def test_versions_that_are_wrong_or_missing() -> None:
    found = libraries.libraries(REQUIRED, {"aiohttp": "3.14.5", "aiortc": "1.9.0"}, {"av": "it crashes (4)"})

    assert [one.reason for one in found] == [
        "aiortc 1.9.0 is installed, ==1.16.0 is wanted",
        "websockets is missing",
        "av does not load: it crashes (4)",
    ]
    assert all("install jambridge again" in one.remedy for one in found)


@pytest.mark.parametrize(
    ("version", "clauses", "holds"),
    [
        ("1.16.0", "==1.16.0", True),
        ("1.16", "==1.16.0", True),
        ("1.9.0", ">=1.16,<2", False),
        ("2.0", ">=1.16,<2", False),
        ("1.100.1", ">=1.16,<2", True),
        ("2.1rc1", "<2.1", False),
        ("3.0", "!=3.0", False),
        ("3.0", "", True),
        ("unknown", "~=3.0", True),
    ],
)
def test_versions_are_compared_number_by_number(version: str, clauses: str, holds: bool) -> None:
    assert libraries.satisfies(version, clauses) is holds


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ((3, 10, 9), Verdict.FAILURE),
        ((3, 11, 2), Verdict.GOOD),
        ((3, 13, 1), Verdict.GOOD),
        ((3, 15, 0), Verdict.WARNING),
    ],
)
def test_pythons_are_judged(version: tuple[int, int, int], verdict: Verdict) -> None:
    assert libraries.python(version).verdict is verdict
