"""Together: lights of distant rooms show a moment at the same time, where each person wants that of theirs."""

import asyncio
from collections.abc import Callable, Sequence

from jambridge.edges import Latest
from jambridge.light import presenting
from jambridge.light.control import Report
from jambridge.light.discovery import Agreement
from jambridge.light.presenting import Timing, When
from jambridge.peers.status import PeerStatus
from jambridge.strict_json import JsonObject

LOOK_S = 0.2


class Together:
    """Keeps `timing` as this box and the other bridges of the room need it."""

    def __init__(self, wanted: Callable[[], When], agreement: Agreement) -> None:
        self.timing: Latest[Timing] = Latest(Timing())
        self._wanted = wanted
        self._agreement = agreement

    def section(self) -> JsonObject:
        """Of the status."""
        return {
            "timing": self._wanted(),
            "delay_ms": _ms(self.timing.value.delay_s),
            "needs_ms": _ms(self._agreement.delay_s.value),
        }

    async def keep(self, report: Callable[[], Report | None], peers: Callable[[], Sequence[PeerStatus]]) -> None:
        """Look again and again at how late sound comes."""
        while True:
            self.look(report(), peers())
            await asyncio.sleep(LOOK_S)

    def look(self, report: Report | None, peers: Sequence[PeerStatus]) -> None:
        agreement = self._agreement
        if self._wanted() == "instant":
            agreement.delay_s.set(None)
            self.timing.set(Timing())
            return
        needs_s = report.needs_s if report else None
        if needs_s is not None:
            agreement.delay_s.set(presenting.rounded_s(needs_s))
        ways_s = {str(peer.id): peer.way_ms / 1000 for peer in peers if peer.way_ms is not None}
        self.timing.set(presenting.timing(agreement.delay_s.value or 0.0, agreement.delay_of_others_s.value, ways_s))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)
