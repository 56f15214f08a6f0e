"""Whether this clock is right: credentials for TURN, certificates and the age of sessions depend on it. Pure."""

from dataclasses import dataclass

from jambridge.doctor.finding import Finding, failure, good, warning

CLOCK = "clock"
PUT_UP_WITH_S = 10.0
MOST_S = 300.0
"""Beyond, servers refuse what is dated by it."""
_SET = "sudo timedatectl set-ntp true; without internet: sudo date -s '2026-01-31 19:30'"
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Clock:
    """`offset_s` is this clock minus that of `server`, None where none answered; `kept`: something keeps it right."""

    offset_s: float | None
    server: str
    kept: bool | None


def clock(facts: Clock) -> Finding:
    if facts.offset_s is None:
        return _unknown(facts)
    size_s = abs(facts.offset_s)
    way = "ahead of" if facts.offset_s > 0 else "behind"
    if size_s > MOST_S:
        return failure(CLOCK, f"this clock is {_duration(size_s)} {way} {facts.server}", _SET)
    if size_s > PUT_UP_WITH_S:
        return warning(CLOCK, f"this clock is {_duration(size_s)} {way} {facts.server}", _SET)
    if facts.kept is False:
        return warning(CLOCK, f"right within {max(size_s, 0.1):.1f} s, but nothing keeps it so", _SET)
    return good(CLOCK, f"right within {max(size_s, 0.1):.1f} s, says {facts.server}")


def _unknown(facts: Clock) -> Finding:
    if facts.kept:
        return good(CLOCK, f"the system keeps it right ({facts.server} did not answer)")
    return warning(CLOCK, f"nothing keeps this clock right, and {facts.server} did not answer", _SET)


def _duration(seconds: float) -> str:
    """In the unit that a person would use."""
    for unit_s, name in ((_DAY_S, "days"), (_HOUR_S, "hours"), (_MINUTE_S, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds:.0f} s"
