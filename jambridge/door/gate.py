"""How many connections there may be, and which of them goes where another does not fit. Pure: time is a parameter."""

from collections import Counter
from typing import Any, Protocol

Ends = tuple[Any, Any]
"""Both addresses of a connection, as its socket tells them: ours and theirs."""

_AT_ONCE_S = 0.1  # a request follows its connection within that


class Connection(Protocol):
    @property
    def ends(self) -> Ends: ...

    def give_way(self) -> None:
        """End, so that another fits."""


class Gate:
    """Counts what is open by address, and knows which connections are idle: nothing they asked is being answered.

    Where another connection does not fit, one that is idle gives way to it, of the address that has most of these: a
    crowd that says nothing keeps nobody out. Those of one address, and addresses that have as many, make room for each
    other once they had the time to ask.
    """

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._open: Counter[str] = Counter()
        self._connections: dict[Ends, Connection] = {}
        self._idle: dict[str, dict[Ends, float]] = {}  # by address, since when; the one that is longest comes first
        self.refused = 0
        self.displaced = 0

    @property
    def open(self) -> int:
        return self._open.total()

    def enter(self, address: str) -> bool:
        """Count one more, or refuse it."""
        if not self._fits(address):
            self.refused += 1
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def admit(self, connection: Connection, now_s: float) -> bool:
        """Count a connection, which is idle at first, or refuse it."""
        address = _address(connection.ends)
        if not self._fits(address) and (other := self._superfluous(address, now_s)) is not None:
            self.displaced += 1
            self.release(other)
            other.give_way()
        if not self.enter(address):
            return False
        self._connections[connection.ends] = connection
        self.rest(connection.ends, now_s)
        return True

    def release(self, connection: Connection) -> None:
        """It is gone, or was never admitted."""
        if self._connections.get(connection.ends) is connection:
            self.attend(connection.ends)
            del self._connections[connection.ends]
            self.leave(_address(connection.ends))

    def attend(self, ends: Ends) -> None:
        """What it asked is being answered: it gives way to nobody."""
        address = _address(ends)
        idle = self._idle.get(address, {})
        if idle.pop(ends, None) is not None and not idle:
            del self._idle[address]

    def rest(self, ends: Ends, now_s: float) -> None:
        """It was answered, and is idle from now on."""
        if ends in self._connections:
            self._idle.setdefault(_address(ends), {})[ends] = now_s

    def _fits(self, address: str) -> bool:
        return self.open < self._most and self._open[address] < self._most_per_address

    def _superfluous(self, address: str, now_s: float) -> Connection | None:
        """The one that gives way to another of `address`."""
        is_full = self._open[address] >= self._most_per_address
        crowd = address if is_full else max(self._idle, key=self._idling, default=address)
        for ends, since_s in self._idle.get(crowd, {}).items():
            has_more = self._idling(crowd) > self._idling(address) + 1
            return self._connections[ends] if has_more or now_s - since_s >= _AT_ONCE_S else None
        return None

    def _idling(self, address: str) -> int:
        return len(self._idle.get(address, ()))


def _address(ends: Ends) -> str:
    return str(ends[1][0])
