"""Something that may be broken for a while: said in the log once when it breaks and once when it heals."""

import logging

log = logging.getLogger(__name__)


class Trouble:
    def __init__(self, what: str) -> None:
        self._what = what
        self.reason: str | None = None
        """None while all is well."""

    def broke(self, reason: str) -> None:
        if self.reason is None:
            log.warning("%s reason=%s", self._what, reason)
        self.reason = reason

    def healed(self) -> None:
        if self.reason is not None:
            log.info("no longer: %s", self._what)
        self.reason = None
