"""One place where a WLED is, was or should be, and how it has answered there."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

import aiohttp

from jambridge.config import ControllerConfig
from jambridge.errors import WireError
from jambridge.light import consent, link, probe, wled
from jambridge.light.wled import Wled

ABSENT_AFTER = 2  # probes in vain
UNASKED = "does not answer yet"


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a WLED is asked, in seconds, and how long one answer may take."""

    present_s: float = 10.0  # WLED's server is weak while it streams
    taken_s: float = 3.0  # by somebody else's stream, or by its user
    absent_s: float = 2.0
    answer_s: float = 4.0


class Watch:
    """One place where a WLED is, or was, or should be."""

    def __init__(
        self, label: str, entry: ControllerConfig | None, session: aiohttp.ClientSession, patience: Patience
    ) -> None:
        self.label = _printable(label[:64])
        self.entry = entry
        self._patience = patience
        self.probe = probe.Probe(session)
        self.port = entry.http_port if entry else wled.HTTP_PORT
        self.news = asyncio.Event()
        self.wled: Wled | None = None
        self.answered_at = 0.0
        self.sent_from = ""
        """Our own address towards it when it answered last: what it then said of its stream is compared with that."""
        self.failures = 0
        self.problem = UNASKED
        self.faulty = False
        self.left = False
        """It said good-bye, or was never more than an announcement."""

    @property
    def present(self) -> bool:
        return self.wled is not None and self.failures < ABSENT_AFTER and not (self.left and self.failures)

    @property
    def is_missed(self) -> bool:
        """It is to be told of, though nobody may ever have heard of it."""
        return self.entry is not None or self.faulty or self.failures >= ABSENT_AFTER

    @property
    def fault(self) -> str:
        """What is wrong with its answer; empty where there is none."""
        return self.problem if self.faulty else ""

    def answered(self, answer: Wled) -> None:
        self.wled, self.answered_at, self.failures, self.faulty, self.left = answer, time.monotonic(), 0, False, False
        with suppress(OSError):
            self.sent_from = link.sent_from(answer.host)

    def failed(self, exc: Exception) -> None:
        self.failures += 1
        self.problem = _printable(str(exc))
        self.faulty = isinstance(exc, WireError)

    def pause_s(self) -> float:
        patience = self._patience
        if self.failures:
            again_s = patience.absent_s / (2 if self.failures < ABSENT_AFTER else 1)
            return patience.present_s if self.faulty else again_s
        taken = self.wled is not None and (self.wled.overridden or consent.is_foreign(self.wled, self.sent_from))
        return patience.taken_s if taken else patience.present_s


def _printable(text: str) -> str:
    """Anybody can announce or answer anything."""
    return "".join(filter(str.isprintable, text))
