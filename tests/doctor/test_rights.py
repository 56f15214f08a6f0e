"""A user without the group, and without real time, is a real one."""

import os
from pathlib import Path

import pytest

from jambridge.doctor.finding import Finding, Verdict
from jambridge.doctor.judge import rights
from jambridge.doctor.judge.rights import RealTime, SoundRights
from jambridge.doctor.probe import rights as probe
from tests.doctor.look import look
from tests.fakes.worlds import AS_NOBODY, ROOT, without_permission

NOTHING = Path("/dev/null")
ALONE = {"JAMBRIDGE_HTTP__PORT": "9"}


def rights_in(world: tuple[str, ...]) -> dict[str, Finding]:
    return look(NOTHING, "rights", before=world, environment=ALONE)


@ROOT
def test_a_user_who_is_not_in_group_audio(tmp_path: Path) -> None:
    found = rights_in(without_permission(str(tmp_path)))["audio group"]

    assert found.verdict is Verdict.FAILURE
    assert found.reason == "this user may not use the sound cards, it is not in the group audio"
    assert found.remedy == "sudo usermod -aG audio $USER, then log in again"


@ROOT
def test_a_user_without_real_time_priority() -> None:
    found = rights_in(("prlimit", "--rtprio=0", *AS_NOBODY))["real time"]

    assert found.verdict is Verdict.WARNING
    assert "(limit: none)" in found.reason
    assert "limits.d" in found.remedy


@ROOT
def test_a_user_with_real_time_priority() -> None:
    """Root is one. Where nobody may raise a limit, no test can either."""
    found = rights.real_time(probe.real_time())

    assert (found.verdict, found.reason) == (Verdict.GOOD, "priority 20 is granted")


def test_asking_for_real_time_leaves_no_thread_in_it() -> None:
    probe.real_time()

    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize(
    ("facts", "verdict", "reason"),
    [
        (SoundRights(2, True, False, True, True), Verdict.GOOD, "this user may use the sound cards"),
        (SoundRights(2, False, False, True, False), Verdict.FAILURE, "not yet when this session began"),
        (SoundRights(0, False, True, False, False), Verdict.GOOD, "the kernel has none now"),
        (SoundRights(0, False, False, False, False), Verdict.NOTE, "not in the group audio"),
    ],
)
def test_rights_are_judged(facts: SoundRights, verdict: Verdict, reason: str) -> None:
    found = rights.sound(facts)

    assert found.verdict is verdict
    assert reason in found.reason


def test_a_limit_that_is_too_low_is_named() -> None:
    assert "(limit: 5)" in rights.real_time(RealTime(20, 5, granted=False)).reason
