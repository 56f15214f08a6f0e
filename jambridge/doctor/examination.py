"""Every check at once: each has a deadline, and none that breaks, or hangs, takes another along."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from jambridge.doctor.finding import Finding, failure, quoted
from jambridge.errors import JambridgeError

WITHIN_S = 15.0
AGAIN = "ask again; if it stays, whoever is to help needs the file that jambridge doctor --bundle FILE writes"
REPORT = "this is a mistake of jambridge's own: report it, with the file that jambridge doctor --bundle FILE writes"


@dataclass(frozen=True, slots=True)
class Check:
    """`look` gives what it found; what it raises is a finding too."""

    name: str
    look: Callable[[], Awaitable[Sequence[Finding]]]
    within_s: float = WITHIN_S


async def examine(
    checks: Sequence[Check], waiting: Callable[[Sequence[str]], None] = lambda _: None
) -> AsyncIterator[Sequence[Finding]]:
    """The findings of each check, in the order of `checks`, as soon as those before are known.

    `waiting` is told the names of the checks that go on, whenever one ends.
    """
    tasks = {check.name: asyncio.create_task(_bounded(check)) for check in checks}

    def tell(_: object) -> None:
        waiting([name for name, task in tasks.items() if not task.done()])

    tell(None)
    for task in tasks.values():
        task.add_done_callback(tell)
    try:
        for check in checks:
            await asyncio.wait([tasks[check.name]])
            yield _findings(check, tasks[check.name])
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def _bounded(check: Check) -> Sequence[Finding]:
    async with asyncio.timeout(check.within_s):
        return await check.look()


def _findings(check: Check, task: asyncio.Task[Sequence[Finding]]) -> Sequence[Finding]:
    exc = task.exception()
    match exc:
        case None:
            return task.result()
        case TimeoutError():
            return [failure(check.name, f"no answer within {check.within_s:.0f} s", "is the machine overloaded?")]
        case JambridgeError() | OSError():
            return [failure(check.name, quoted(exc), AGAIN)]
    return [failure(check.name, f"it could not be looked at: {type(exc).__name__}: {quoted(exc)}", REPORT)]
