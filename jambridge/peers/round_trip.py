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

from jambridge.units import LocalSeconds

PERIOD_S = 2.0
UNEVEN_PERIOD_S = 0.5
UNEVEN_S = 0.005
"""From the quickest to the median of the latest: then a quick one is rare, and asked for more often."""
SAMPLES = 5  # of which the median counts: a request that was lost and sent again is no delay
LATEST = 15  # which say how uneven the way is
QUICKEST_WITHIN_S = 60.0
CREDIBLE = 3  # times as much as the latest differ
_RESENDS = 1


class RoundTrip:
    """Of one connection; `seconds` is None while unknown."""

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=SAMPLES)
        self._known: deque[tuple[LocalSeconds, float]] = deque()

    @property
    def seconds(self) -> float | None:
        return statistics.median(self._samples) if self._samples else None

    @property
    def least_s(self) -> float | None:
        """The quickest of the last minute: the way without what waits on it.

        A way that has become longer is known by the latest: what is quicker than all of them by much more than they
        differ was another way.
        """
        if not self._known:
            return None
        quickest_s, uneven_s = self._lately()
        return max(min(seconds for _, seconds in self._known), quickest_s - CREDIBLE * uneven_s)

    @property
    def period_s(self) -> float:
        """Until it is asked again."""
        is_uneven = len(self._known) < LATEST or self._lately()[1] > UNEVEN_S
        return UNEVEN_PERIOD_S if is_uneven else PERIOD_S

    def observe(self, seconds: float | None, now: LocalSeconds) -> None:
        """None: there was no answer, and what was known is less true."""
        if seconds is not None:
            self._samples.append(seconds)
            self._known.append((now, seconds))
        else:
            for kept in (self._samples, self._known):
                if kept:
                    kept.popleft()
        while self._known and now - self._known[0][0] > QUICKEST_WITHIN_S:
            self._known.popleft()

    async def follow(self, ice: Any) -> None:
        """Ask again and again over `ice`, an aioice.Connection that is connected; until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            seconds = await _ask(ice)
            self.observe(seconds, LocalSeconds(loop.time()))
            await asyncio.sleep(self.period_s * random.uniform(0.8, 1.2))  # noqa: S311  so that peers do not ask in step

    def _lately(self) -> tuple[float, float]:
        """The quickest of the latest, and by how much half of them exceed it."""
        latest = sorted(self._known[-1 - index][1] for index in range(min(LATEST, len(self._known))))
        return latest[0], statistics.median(latest) - latest[0]


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
