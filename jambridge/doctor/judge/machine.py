"""The machine itself: processor, disk and heat. Pure.

Source of the bits: Raspberry Pi documentation, "vcgencmd get_throttled".
"""

import errno
from dataclasses import dataclass

from jambridge.doctor.finding import Finding, failure, good, note, quoted, warning

DISK, HEAT, POWER = "disk", "temperature", "power"
LITTLE_BYTES = 100 * 1000 * 1000
HOT_C = 75.0
"""A Pi slows down from 80 °C on."""
_UNDER_VOLTAGE, _CAPPED, _THROTTLED, _SOFT_LIMIT = range(4)
_SINCE_START = 16
_SUPPLY = "use the power supply made for this Pi, and a short cable; unplug what draws current from its USB"
_COOL = "give it a heat sink or a fan, and air around its case"


@dataclass(frozen=True, slots=True)
class Disk:
    """Where something is kept; `error` is the errno that a write there met."""

    path: str
    free_bytes: int
    error: int | None = None


@dataclass(frozen=True, slots=True)
class Heat:
    """The hottest sensor, and what a Pi says of its power in bits; None where there is no such thing."""

    celsius: float | None
    throttled: int | None


def disk(facts: Disk) -> Finding:
    left = f"{facts.free_bytes / 1e6:,.0f} MB are free".replace(",", " ")
    match facts.error:
        case None if facts.free_bytes < LITTLE_BYTES:
            return warning(DISK, f"only {left} at {facts.path}", _make_room(facts.path))
        case None:
            return good(DISK, f"{left} at {facts.path}, and it can be written")
        case errno.ENOSPC | errno.EDQUOT:
            return failure(DISK, f"{facts.path} is full: nothing is kept over a restart", _make_room(facts.path))
        case errno.EROFS:
            remedy = "is the card worn out? sudo dmesg tells; else sudo mount -o remount,rw /, or set JAMBRIDGE_STATE"
            return failure(DISK, f"{facts.path} can only be read", remedy)
        case errno.EACCES | errno.EPERM:
            remedy = f"sudo chown -R $USER {facts.path}, or set JAMBRIDGE_STATE to a directory of your own"
            return failure(DISK, f"this user may not write {facts.path}", remedy)
    remedy = "is the card worn out? sudo dmesg tells"
    return failure(DISK, f"{facts.path} cannot be written (error {facts.error})", remedy)


def no_place(problem: str) -> Finding:
    """There is not even a directory; `problem` is a sentence."""
    return failure(DISK, quoted(problem), "set JAMBRIDGE_STATE to a directory that this user may write")


def heat(facts: Heat) -> list[Finding]:
    return [_temperature(facts.celsius), *_power(facts.throttled)]


def _make_room(path: str) -> str:
    return f"make room: df -h {path}; sudo apt clean; sudo journalctl --vacuum-size=50M; jambridge sessions purge"


def _temperature(celsius: float | None) -> Finding:
    if celsius is None:
        return note(HEAT, "there is no sensor")
    if celsius >= HOT_C:
        return warning(HEAT, f"{celsius:.0f} °C: it is slowed down from 80 °C on, and sound drops out", _COOL)
    return good(HEAT, f"{celsius:.0f} °C")


def _power(throttled: int | None) -> list[Finding]:
    """Nothing where it is no Pi."""
    if throttled is None:
        return []
    now, before = throttled, throttled >> _SINCE_START
    if now >> _UNDER_VOLTAGE & 1:
        return [failure(POWER, "too little voltage", _SUPPLY)]
    if now & (1 << _CAPPED | 1 << _THROTTLED | 1 << _SOFT_LIMIT):
        return [warning(POWER, "the processor is slowed down now", _COOL)]
    if before >> _UNDER_VOLTAGE & 1:
        return [warning(POWER, "there was too little voltage since the start", _SUPPLY)]
    if before & (1 << _CAPPED | 1 << _THROTTLED | 1 << _SOFT_LIMIT):
        return [warning(POWER, "the processor was slowed down since the start", _COOL)]
    return [good(POWER, "enough voltage, never slowed down")]
