"""A way that sound or light takes to somebody, stage by stage, and what is to be thought of it. Pure."""

import enum
from dataclasses import dataclass

from jambridge.strict_json import JsonObject

SAME_NETWORK_MS = 50.0
MOST_MS = 100.0
"""Above it nobody plays in time; the daemon warns of it."""


class Kind(enum.StrEnum):
    HEARD = "heard"
    """From another musician to our line-out."""
    SENT = "sent"
    """From our line-in to another musician."""
    LIGHT = "light"
    """From a note to our strips."""
    LOOPBACK = "loopback"
    """From our line-in to a line-out like ours, measured over a cable."""


class Basis(enum.StrEnum):
    """What a figure rests on."""

    MEASURED = "measured"
    DRIVER = "as the driver says"
    CONFIGURED = "as configured"
    TYPICAL = "typical"
    UNKNOWN = "not measured"


class Verdict(enum.StrEnum):
    GOOD = "good"
    ACCEPTABLE = "acceptable"
    """Above what one network should take, below what is too much."""
    TOO_LONG = "too long"
    UNKNOWN = "unknown"
    UNRELIABLE = "not reliable"


@dataclass(frozen=True, slots=True)
class Stage:
    """`ms` is None where it is not known."""

    name: str
    ms: float | None
    basis: Basis = Basis.MEASURED


@dataclass(frozen=True, slots=True)
class Way:
    """`path` as WebRTC has chosen it; `beyond` is what no stage counts, because it is not known here."""

    kind: Kind
    who: str
    path: str | None
    stages: tuple[Stage, ...]
    beyond: tuple[str, ...] = ()
    remedy: str | None = None
    """What would shorten it most."""
    doubt: str | None = None
    """Why the figures are not to be relied on."""

    @property
    def sum_ms(self) -> float | None:
        """Of the stages that are known."""
        known = [stage.ms for stage in self.stages if stage.ms is not None]
        return sum(known) if known else None

    @property
    def is_whole(self) -> bool:
        return bool(self.stages) and all(stage.ms is not None for stage in self.stages)

    @property
    def bar_ms(self) -> float:
        """Over the internet there is only the upper one."""
        return MOST_MS if self.path in ("srflx", "prflx", "relay") else SAME_NETWORK_MS

    @property
    def verdict(self) -> Verdict:
        """Of what is known: more can only be worse."""
        if self.doubt:
            return Verdict.UNRELIABLE
        if self.sum_ms is None:
            return Verdict.UNKNOWN
        if self.sum_ms <= self.bar_ms:
            return Verdict.GOOD
        return Verdict.ACCEPTABLE if self.sum_ms <= MOST_MS else Verdict.TOO_LONG

    @property
    def longest(self) -> Stage | None:
        known = [stage for stage in self.stages if stage.ms is not None]
        return max(known, key=lambda stage: stage.ms or 0.0, default=None)

    def stage(self, name: str) -> Stage | None:
        return next((stage for stage in self.stages if stage.name == name), None)


def as_json(way: Way) -> JsonObject:
    longest = way.longest
    return {
        "kind": way.kind.value,
        "who": way.who,
        "path": way.path,
        "stages": [{"name": stage.name, "ms": _rounded(stage.ms), "basis": stage.basis.value} for stage in way.stages],
        "sum_ms": _rounded(way.sum_ms),
        "whole": way.is_whole,
        "beyond": list(way.beyond),
        "bar_ms": way.bar_ms,
        "verdict": way.verdict.value,
        "doubt": way.doubt,
        "longest": longest.name if longest else None,
        "remedy": way.remedy,
    }


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 2)
