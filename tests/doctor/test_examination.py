import asyncio
from collections.abc import Callable, Sequence

from jambridge.doctor.examination import REPORT, Check, examine
from jambridge.doctor.finding import Finding, Verdict, good
from jambridge.errors import DeviceError


def examined(checks: Sequence[Check], waiting: Callable[[Sequence[str]], None] = lambda _: None) -> list[Finding]:
    async def scenario() -> list[Finding]:
        async with asyncio.timeout(30):
            return [one async for some in examine(checks, waiting) for one in some]

    return asyncio.run(scenario())


def check(name: str, *, within_s: float = 20.0) -> Check:
    async def look() -> list[Finding]:
        return [good(name, "well")]

    return Check(name, look, within_s)


def raising(name: str, exc: Exception) -> Check:
    async def look() -> list[Finding]:
        raise exc

    return Check(name, look)


def test_checks_run_side_by_side_and_are_told_in_their_order() -> None:
    """Each waits for the other: one after the other they would never end."""
    begun = [asyncio.Event(), asyncio.Event()]

    def meeting(own: int) -> Check:
        async def look() -> list[Finding]:
            begun[own].set()
            await begun[1 - own].wait()
            return [good(str(own), "met")]

        return Check(str(own), look)

    assert [one.check for one in examined([meeting(0), check("quick"), meeting(1)])] == ["0", "quick", "1"]


def test_one_that_hangs_is_a_finding_and_the_others_are_told() -> None:
    async def hang() -> list[Finding]:
        await asyncio.Event().wait()
        return []

    stuck, well = examined([Check("stuck", hang, within_s=0.05), check("well")])

    assert (stuck.check, stuck.verdict) == ("stuck", Verdict.FAILURE)
    assert stuck.reason.startswith("no answer within")
    assert well.verdict is Verdict.GOOD


def test_one_that_breaks_is_a_finding_and_the_others_are_told() -> None:
    ours, theirs, bug, well = examined(
        [
            raising("ours", DeviceError("the card\x1b[2J is gone")),
            raising("theirs", PermissionError(13, "Permission denied")),
            raising("bug", KeyError("rate")),
            check("well"),
        ]
    )

    assert ours.reason == "the card?[2J is gone"
    assert "Permission denied" in theirs.reason
    assert ours.remedy and theirs.remedy
    assert (bug.reason, bug.remedy) == ("it could not be looked at: KeyError: 'rate'", REPORT)
    assert well.verdict is Verdict.GOOD


def test_who_waits_is_told_what_for() -> None:
    told: list[list[str]] = []
    examined([check("one"), check("two")], lambda names: told.append(list(names)))

    assert told[0] == ["one", "two"]
    assert told[-1] == []
