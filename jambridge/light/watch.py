"""One place where a WLED is, was or should be, and how it has answered there."""

import asyncio
import time

import aiohttp

from jambridge.config import ControllerConfig
from jambridge.errors import WireError
from jambridge.light import consent, probe, wled
from jambridge.light.wled import Wled

PRESENT_EVERY_S = 10.0  # WLED's server is weak while it streams
FOREIGN_EVERY_S = 3.0
ABSENT_EVERY_S = 2.0
ABSENT_AFTER = 3  # probes in vain


class Watch:
    """One place where a WLED is, or was, or should be."""

    def __init__(self, label: str, entry: ControllerConfig | None, session: aiohttp.ClientSession) -> None:
        self.label = label
        self.entry = entry
        self.probe = probe.Probe(session)
        self.port = entry.http_port if entry else wled.HTTP_PORT
        self.news = asyncio.Event()
        self.wled: Wled | None = None
        self.answered_at = 0.0
        self.failures = 0
        self.problem = "has not answered yet"
        self.faulty = False
        self.left = False
        """It said good-bye, or was never more than an announcement."""

    @property
    def present(self) -> bool:
        return self.wled is not None and self.failures < ABSENT_AFTER and not (self.left and self.failures)

    def answered(self, answer: Wled) -> None:
        self.wled, self.answered_at, self.failures, self.faulty, self.left = answer, time.monotonic(), 0, False, False

    def failed(self, exc: Exception) -> None:
        self.failures += 1
        self.problem = str(exc)
        self.faulty = isinstance(exc, WireError)

    def pause_s(self) -> float:
        if self.failures:
            return PRESENT_EVERY_S if self.faulty else ABSENT_EVERY_S
        foreign = self.wled is not None and consent.is_foreign(self.wled, probe.sent_from(self.wled.host))
        return FOREIGN_EVERY_S if foreign else PRESENT_EVERY_S
