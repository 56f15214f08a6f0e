"""How many messages a second, lately. Pure: time is a parameter."""

from collections import deque

from jambridge.units import LocalSeconds

_LOOKS = 9  # four a second: over two seconds


class Rate:
    """Of a count that is looked at again and again."""

    def __init__(self) -> None:
        self._looks: deque[tuple[LocalSeconds, int]] = deque(maxlen=_LOOKS)

    def look(self, count: int, now: LocalSeconds) -> None:
        self._looks.append((now, count))

    @property
    def per_s(self) -> float:
        """0 before there is anything to compare with."""
        if not self._looks:
            return 0.0
        (began, before), (at, count) = self._looks[0], self._looks[-1]
        return (count - before) / (at - began) if at > began else 0.0
