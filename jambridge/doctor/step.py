"""One look at something far away: timed, with a deadline, and always a finding."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import replace

import aiohttp
from websockets.exceptions import WebSocketException

from jambridge.doctor.finding import Finding, failure, quoted
from jambridge.errors import LinkError

DEADLINE_S = 8.0


async def step(check: str, look: Awaitable[Finding], remedy: str, deadline_s: float = DEADLINE_S) -> Finding:
    """What `look` found; if it could not look, a failure of `check` with that remedy."""
    started_s = time.monotonic()
    try:
        async with asyncio.timeout(deadline_s):
            finding = await look
    except TimeoutError:
        finding = failure(check, "no answer in time", remedy)
    except (aiohttp.ClientError, WebSocketException, LinkError, OSError) as exc:
        finding = failure(check, quoted(exc) or type(exc).__name__, remedy)
    return replace(finding, seconds=time.monotonic() - started_s)
