"""How long a packet is on its way to a peer and back, asked of its ICE: every peer answers that, a browser too.

Source: RFC 7675 section 5.1 (a Binding request on the pair in use). It rests on attributes of aioice 0.13.0, which is
pinned exactly: the request is made as its own consent checks are.
"""

import asyncio
import random
import statistics
from collections import deque
from typing import Any

from aioice import stun

PERIOD_S = 2.0
SAMPLES = 5  # of which the median counts: a request that was lost and sent again is no delay
QUICKEST_OF = 15
_RESENDS = 1


class RoundTrip:
    """Of one connection; `seconds` is None while unknown."""

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=SAMPLES)
        self._quickest: deque[float] = deque(maxlen=QUICKEST_OF)

    @property
    def seconds(self) -> float | None:
        return statistics.median(self._samples) if self._samples else None

    @property
    def least_s(self) -> float | None:
        """The quickest of the last half-minute: the way without what waits on it."""
        return min(self._quickest, default=None)

    def observe(self, seconds: float | None) -> None:
        """None: there was no answer, and what was known is less true."""
        for kept in (self._samples, self._quickest):
            if seconds is not None:
                kept.append(seconds)
            elif kept:
                kept.popleft()

    async def follow(self, ice: Any) -> None:
        """Ask again and again over `ice`, an aioice.Connection that is connected; until cancelled."""
        while True:
            self.observe(await _ask(ice))
            await asyncio.sleep(PERIOD_S * random.uniform(0.8, 1.2))  # noqa: S311  so that peers do not ask in step


async def _ask(ice: Any) -> float | None:
    pair = next(iter(ice._nominated.values()), None)  # noqa: SLF001
    if pair is None or ice.remote_password is None:
        return None
    loop = asyncio.get_running_loop()
    request = ice.build_request(pair, nominate=False)
    key = ice.remote_password.encode()
    asked_at = loop.time()
    try:
        await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=_RESENDS)
    except stun.TransactionFailed:
        pass  # an answer all the same
    except (stun.TransactionError, OSError):
        return None
    return loop.time() - asked_at
