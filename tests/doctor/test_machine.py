"""Disks that are full or cannot be written are real ones; of a Pi's sensors there is what its documentation says."""

import errno
from pathlib import Path

import pytest

from jambridge.doctor.finding import Finding, Verdict
from jambridge.doctor.judge import machine
from jambridge.doctor.judge.machine import Disk, Heat
from jambridge.doctor.probe import machine as probe
from tests.doctor.look import look
from tests.fakes.worlds import ROOT, full, read_only


def disk_in(world: tuple[str, ...], place: Path, config: Path) -> Finding:
    config.write_text("http: {port: 9}\n")
    return look(config, "disk", before=world, environment={"JAMBRIDGE_STATE": str(place)})["disk"]


@ROOT
def test_a_full_disk(tmp_path: Path) -> None:
    place = tmp_path / "state"
    place.mkdir()
    found = disk_in(full(str(place)), place, tmp_path / "config.yaml")

    assert found.verdict is Verdict.FAILURE
    assert found.reason == f"{place} is full: nothing is kept over a restart"
    assert found.remedy.startswith("make room: ")


@ROOT
def test_a_disk_that_can_only_be_read(tmp_path: Path) -> None:
    place = tmp_path / "state"
    place.mkdir()
    found = disk_in(read_only(str(place)), place, tmp_path / "config.yaml")

    assert (found.verdict, found.reason) == (Verdict.FAILURE, f"{place} can only be read")


def test_a_state_directory_that_cannot_be_made_is_told_once(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("http: {port: 9}\n")
    nowhere = config / "state"
    found = look(config, "disk", "jambridge", environment={"JAMBRIDGE_STATE": str(nowhere)})

    assert found["disk"].reason.startswith(f"cannot make the state directory {nowhere}")
    assert found["disk"].remedy.startswith("set JAMBRIDGE_STATE")
    assert found["jambridge"].verdict is Verdict.NOTE


def test_a_disk_that_is_well_is_left_as_it_was(tmp_path: Path) -> None:
    facts = probe.disk(tmp_path)

    assert facts.error is None
    assert facts.free_bytes > 0
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    assert probe.disk(tmp_path / "gone").error == errno.ENOENT


@pytest.mark.parametrize(
    ("facts", "verdict", "reason"),
    [
        (Disk("/s", 2_000_000_000), Verdict.GOOD, "2 000 MB are free at /s, and it can be written"),
        (Disk("/s", 50_000_000), Verdict.WARNING, "only 50 MB are free at /s"),
        (Disk("/s", 0, errno.EDQUOT), Verdict.FAILURE, "/s is full: nothing is kept over a restart"),
        (Disk("/s", 10**9, errno.EACCES), Verdict.FAILURE, "this user may not write /s"),
        (Disk("/s", 10**9, errno.EIO), Verdict.FAILURE, "/s cannot be written (error 5)"),
    ],
)
def test_disks_are_judged(facts: Disk, verdict: Verdict, reason: str) -> None:
    found = machine.disk(facts)

    assert (found.verdict, found.reason) == (verdict, reason)
    assert bool(found.remedy) == (verdict is not Verdict.GOOD)


@pytest.mark.parametrize(
    ("throttled", "verdict", "reason"),
    [
        (0x0, Verdict.GOOD, "enough voltage, never slowed down"),
        (0x50005, Verdict.FAILURE, "too little voltage"),
        (0x50000, Verdict.WARNING, "there was too little voltage since the start"),
        (0x20002, Verdict.WARNING, "the processor is slowed down now"),
        (0x80008, Verdict.WARNING, "the processor is slowed down now"),
        (0xE0000, Verdict.WARNING, "the processor was slowed down since the start"),
    ],
)
def test_the_bits_of_a_pi(throttled: int, verdict: Verdict, reason: str) -> None:
    temperature, power = machine.heat(Heat(48.2, throttled))

    assert temperature.reason == "48 °C"
    assert (power.verdict, power.reason) == (verdict, reason)


def test_heat_and_its_absence() -> None:
    (hot,) = machine.heat(Heat(81.4, None))
    (unknown,) = machine.heat(Heat(None, None))

    assert hot.verdict is Verdict.WARNING
    assert "fan" in hot.remedy
    assert unknown.verdict is Verdict.NOTE


def test_the_hottest_sensor_counts_and_nonsense_does_not(tmp_path: Path) -> None:
    for number, text in enumerate(["47236\n", "61850\n", "-274000\n", "999999999\n", "n/a\n"]):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)

    assert probe._hottest(tmp_path) == 61.85
    assert probe._hottest(tmp_path / "none") is None
