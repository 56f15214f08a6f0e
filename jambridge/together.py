"""Together: lights of distant rooms show a moment at the same time, where each person wants that of theirs."""

import asyncio
from collections.abc import Callable, Sequence

from jambridge.edges import Latest
from jambridge.light import presenting
from jambridge.light.control import Report
from jambridge.light.discovery import Agreement
from jambridge.light.presenting import Delay, Timing, When
from jambridge.peers.status import PeerStatus
from jambridge.strict_json import JsonObject
from jambridge.units import RoomSeconds

LOOK_S = 0.2


class Together:
    """Keeps `timing` as this box and the other bridges of the room need it. `now` is room time."""

    def __init__(self, wanted: Callable[[], When], agreement: Agreement, now: Callable[[], RoomSeconds]) -> None:
        self.timing: Latest[Timing] = Latest(Timing())
        self._wanted = wanted
        self._agreement = agreement
        self._now = now

    def section(self) -> JsonObject:
        """Of the status."""
        needed = self._agreement.delay.value
        return {
            "timing": self._wanted(),
            "delay_ms": _ms(self.timing.value.at(self._now())),
            "needs_ms": _ms(needed.seconds if needed else None),
        }

    async def keep(self, report: Callable[[], Report | None], peers: Callable[[], Sequence[PeerStatus]]) -> None:
        """Look again and again at how late sound comes."""
        while True:
            self.look(report(), peers())
            await asyncio.sleep(LOOK_S)

    def look(self, report: Report | None, peers: Sequence[PeerStatus]) -> None:
        agreement, now = self._agreement, self._now()
        if self._wanted() == "instant":
            agreement.delay.set(None)
            self.timing.set(Timing())
            return
        needs_s = report.needs_s if report else None
        if needs_s is not None:
            self._need(presenting.rounded_s(needs_s), now)
        own = [agreement.delay.value] if agreement.delay.value else []
        ways_s = {str(peer.id): peer.way_ms / 1000 for peer in peers if peer.way_ms is not None}
        delays = (*own, *agreement.delays_of_others.value)
        self.timing.set(presenting.timing(self.timing.value, delays, ways_s, now))

    def _need(self, seconds: float, now: RoomSeconds) -> None:
        before = self._agreement.delay.value
        if before is None or before.seconds != seconds:
            self._agreement.delay.set(Delay(seconds, presenting.said_at(now)))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)
