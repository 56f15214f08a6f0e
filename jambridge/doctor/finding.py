"""One thing that was looked at: how it is, why, and what to do about it. Pure."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from jambridge.strict_json import JsonObject

MAX_REASON = 300


class Verdict(enum.StrEnum):
    GOOD = "good"
    NOTE = "note"
    """Neither good nor bad: what cannot be seen from here, or is a matter of choice."""
    WARNING = "warning"
    FAILURE = "failure"


_SIGNS = {Verdict.GOOD: "✓", Verdict.NOTE: "·", Verdict.WARNING: "!", Verdict.FAILURE: "✗"}
_STYLES = {Verdict.GOOD: "green", Verdict.NOTE: "dim", Verdict.WARNING: "yellow", Verdict.FAILURE: "red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What `check` found; `seconds` is how long the looking took, where that says something."""

    check: str
    verdict: Verdict
    reason: str
    remedy: str = ""
    seconds: float | None = None

    @property
    def style(self) -> str:
        """A colour, as rich names it."""
        return _STYLES[self.verdict]


def good(check: str, reason: str) -> Finding:
    return Finding(check, Verdict.GOOD, reason)


def note(check: str, reason: str, remedy: str = "") -> Finding:
    return Finding(check, Verdict.NOTE, reason, remedy)


def warning(check: str, reason: str, remedy: str) -> Finding:
    return Finding(check, Verdict.WARNING, reason, remedy)


def failure(check: str, reason: str, remedy: str) -> Finding:
    return Finding(check, Verdict.FAILURE, reason, remedy)


def failed(findings: Sequence[Finding]) -> bool:
    return any(finding.verdict is Verdict.FAILURE for finding in findings)


def quoted(text: object) -> str:
    """What somebody else said, as one printable line of bounded length: it goes to a terminal."""
    line = " ".join(str(text)[: 4 * MAX_REASON].split())
    return "".join(letter if letter.isprintable() else "?" for letter in line)[:MAX_REASON]


def as_text(findings: Sequence[Finding]) -> str:
    """A line each, the remedy below it."""
    width = max((len(finding.check) for finding in findings), default=0)
    return "\n".join(line for finding in findings for line in lines(finding, width))


def lines(finding: Finding, width: int) -> list[str]:
    """The first is the finding, a second what to do; `width` is that of the checks' names."""
    took = "" if finding.seconds is None else f"  ({finding.seconds:.2f} s)"
    first = f"{_SIGNS[finding.verdict]} {finding.check:{width}}  {finding.reason}{took}"
    return [first, f"  {'':{width}}  → {finding.remedy}"] if finding.remedy else [first]


def as_json(findings: Sequence[Finding]) -> JsonObject:
    return {
        "ok": not failed(findings),
        "findings": [
            {
                "check": finding.check,
                "verdict": finding.verdict.value,
                "reason": finding.reason,
                "remedy": finding.remedy or None,
                "seconds": finding.seconds if finding.seconds is None else round(finding.seconds, 4),
            }
            for finding in findings
        ],
    }
