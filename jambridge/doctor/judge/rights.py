"""What this user may do: use the sound cards, and be scheduled in real time. Pure."""

from dataclasses import dataclass

from jambridge.doctor.finding import Finding, failure, good, note, warning

GROUP, REAL_TIME = "audio group", "real time"
_JOIN = "sudo usermod -aG audio $USER, then log in again"
_LIMIT = (
    "echo '@audio - rtprio 95' | sudo tee /etc/security/limits.d/audio.conf, then log in again; "
    "as a service: LimitRTPRIO=95"
)


@dataclass(frozen=True, slots=True)
class SoundRights:
    """`cards`: how many devices of the kernel's sound cards there are; `may_open`: of them at least one.

    `listed`: the group's file has this user; `member`: this process is in the group.
    """

    cards: int
    may_open: bool
    is_root: bool
    listed: bool
    member: bool


@dataclass(frozen=True, slots=True)
class RealTime:
    """`wanted` is the highest priority that our processes ask for; `granted`: it was tried."""

    wanted: int
    limit: int
    granted: bool


def sound(facts: SoundRights) -> Finding:
    if facts.cards and not facts.may_open:
        if facts.listed and not facts.member:
            reason = "this user is in the group audio, but was not yet when this session began"
            return failure(GROUP, reason, "log out and in again (or restart)")
        return failure(GROUP, "this user may not use the sound cards, it is not in the group audio", _JOIN)
    if facts.cards:
        return good(GROUP, "this user may use the sound cards")
    if facts.is_root or facts.member:
        return good(GROUP, "this user may use sound cards; the kernel has none now")
    return note(GROUP, "this user is not in the group audio; there is no sound card of the kernel's now", _JOIN)


def real_time(facts: RealTime) -> Finding:
    if facts.granted:
        return good(REAL_TIME, f"priority {facts.wanted} is granted")
    limit = "none" if facts.limit <= 0 else str(facts.limit)
    reason = f"this user may not have real-time priority (limit: {limit}): light and sound are late when others work"
    return warning(REAL_TIME, reason, _LIMIT)
