"""What people must know now: alerts come and go with their cause. Pure but for the clock handed in."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from jambridge.errors import Text


@dataclass(frozen=True, slots=True)
class Alert:
    """`text` is the contract's sentence, `cause` the technical reason; `since` in seconds since 1970."""

    code: str
    text: str
    cause: str
    since: float


class Alerts:
    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._active: dict[str, Alert] = {}

    def set(self, text: Text, cause: str) -> None:
        known = self._active.get(text.name)
        self._active[text.name] = Alert(text.name.lower(), text.value, cause, known.since if known else self._clock())

    def clear(self, text: Text) -> None:
        self._active.pop(text.name, None)

    def hold(self, text: Text, cause: str | None) -> None:
        """Set while there is a cause, cleared while there is none."""
        if cause is None:
            self.clear(text)
        else:
            self.set(text, cause)

    def active(self) -> tuple[Alert, ...]:
        return tuple(self._active.values())
