"""Waiting for facts that have no event of their own, seen from outside or common to several tasks."""

import asyncio
from collections.abc import Callable

PATIENCE_S = 60.0  # never waited for where all is well
LOOK_S = 0.01


async def until(holds: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Return once it holds; TimeoutError where it does not in time, however slow this machine is today."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  see above
            await asyncio.sleep(LOOK_S)
