"""What people must know now: alerts come and go with their cause, and the log has a line of each."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from jambridge.errors import Text

log = logging.getLogger(__name__)


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
        if known is None:
            log.warning("%s code=%s cause=%s", text.value, text.name.lower(), cause)
        self._active[text.name] = Alert(text.name.lower(), text.value, cause, known.since if known else self._clock())

    def clear(self, text: Text) -> None:
        if self._active.pop(text.name, None) is not None:
            log.info("over: %s code=%s", text.value, text.name.lower())

    def hold(self, text: Text, cause: str | None) -> None:
        """Set while there is a cause, cleared while there is none."""
        if cause is None:
            self.clear(text)
        else:
            self.set(text, cause)

    def active(self) -> tuple[Alert, ...]:
        return tuple(self._active.values())
