"""Which other hub is to stay in the place of ours. Pure: time is a parameter.

Anybody on the network can announce anything, and to make way interrupts everyone: so a hub must outrank ours, answer by
the name it announces, and have done so for a while. Whoever runs a real hub of a low id is believed; that is the price
of needing no account.
"""

from dataclasses import dataclass

from jambridge.room.announce import Hub

PROVEN_S = 10.0
PROBE_EVERY_S = 2.0
_RARELY_S = 30.0
_MISSES = 5
_MOST = 16


@dataclass(slots=True)
class _Candidate:
    hub: Hub
    due_s: float
    since_s: float | None = None
    """Since when it has answered each time."""
    misses: int = 0


class Candidates:
    def __init__(self, own: Hub) -> None:
        self._own = own
        self._candidates: dict[str, _Candidate] = {}

    def seen(self, hub: Hub, now_s: float) -> None:
        """It was announced; nothing that was proved of it is forgotten while its announcement is the same."""
        if hub.rank >= self._own.rank or hub.id == self._own.id:
            return
        known = self._candidates.get(hub.id)
        if known is not None and known.hub == hub:
            known.due_s = min(known.due_s, now_s)
        elif known is not None or len(self._candidates) < _MOST or self._drop_one():
            self._candidates[hub.id] = _Candidate(hub, now_s)

    def due(self, now_s: float) -> list[Hub]:
        """Whom to ask now."""
        return [candidate.hub for candidate in self._candidates.values() if candidate.due_s <= now_s]

    def asked(self, hub: Hub, now_s: float, *, answers: bool) -> None:
        candidate = self._candidates.get(hub.id)
        if candidate is None or candidate.hub != hub:
            return
        if answers:
            candidate.since_s = now_s if candidate.since_s is None else candidate.since_s
            candidate.misses = 0
        else:
            candidate.since_s = None
            candidate.misses += 1
        candidate.due_s = now_s + (_RARELY_S if candidate.misses >= _MISSES else PROBE_EVERY_S)

    def chosen(self, now_s: float, proven_s: float = PROVEN_S) -> Hub | None:
        """The highest in rank that has answered for `proven_s`."""
        proven = [
            candidate.hub
            for candidate in self._candidates.values()
            if candidate.since_s is not None and now_s - candidate.since_s >= proven_s
        ]
        return min(proven, key=lambda hub: hub.rank, default=None)

    def _drop_one(self) -> bool:
        """Make room by forgetting one that does not answer."""
        silent = next((id_ for id_, candidate in self._candidates.items() if candidate.since_s is None), None)
        if silent is None:
            return False
        del self._candidates[silent]
        return True
