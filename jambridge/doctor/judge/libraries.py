"""Python, and the libraries that jambridge stands on. Pure."""

import re
from collections.abc import Mapping, Sequence

from jambridge.doctor.finding import Finding, failure, good, note, quoted, warning

PYTHON, LIBRARIES = "Python", "libraries"
OLDEST, NEWEST = (3, 11), (3, 13)
_AGAIN = "install jambridge again: in a checkout rm .venv/.installed-*, then ./scripts/run"
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(;.*)?")
_CLAUSE = re.compile(r"\s*(==|>=|<=|<|>|~=|!=)\s*([0-9][0-9.]*)")


def python(version: tuple[int, int, int]) -> Finding:
    text = ".".join(map(str, version))
    if version[:2] < OLDEST:
        return failure(PYTHON, f"{text} is too old", "Python 3.11 or newer is needed: it comes with Debian 12")
    if version[:2] > NEWEST:
        return warning(PYTHON, f"{text}: jambridge was not tried with it", "use Python 3.11 to 3.13")
    return good(PYTHON, text)


def libraries(required: Sequence[str], installed: Mapping[str, str], broken: Mapping[str, str]) -> list[Finding]:
    """Args: what our own package requires, the versions by name, and modules that do not load with the reason."""
    wanted = dict(filter(None, map(_parsed, required)))
    installed = {_plain(name): version for name, version in installed.items()}
    wrong = [
        f"{name} {installed[name]} is installed, {clauses} is wanted" if name in installed else f"{name} is missing"
        for name, clauses in wanted.items()
        if name not in installed or not satisfies(installed[name], clauses)
    ]
    found = [failure(LIBRARIES, reason, _AGAIN) for reason in wrong]
    found += [failure(LIBRARIES, f"{name} does not load: {quoted(why)}", _remedy(why)) for name, why in broken.items()]
    if found:
        return found
    if not wanted:
        return [note(LIBRARIES, "they load; their versions are not known here")]
    return [good(LIBRARIES, f"{len(wanted)} of the versions wanted, and they load")]


def satisfies(version: str, clauses: str) -> bool:
    """As `1.16.0` does `>=1.2,<2`; what we cannot read is satisfied."""
    own = _numbers(version)
    for operator, text in _CLAUSE.findall(clauses):
        length = max(len(own), text.count(".") + 1)
        one, other = _padded(own, length), _padded(_numbers(text), length)
        holds = {
            "==": one == other,
            "!=": one != other,
            ">=": one >= other,
            "<=": one <= other,
            "<": one < other,
            ">": one > other,
        }
        if not holds.get(operator, True):
            return False
    return True


def _parsed(requirement: str) -> tuple[str, str] | None:
    """Name and clauses; None for one of an extra."""
    match = _REQUIREMENT.fullmatch(requirement)
    if match is None or "extra" in (match[3] or ""):
        return None
    return _plain(match[1]), match[2].strip()


def _plain(name: str) -> str:
    """PEP 503: prometheus_client and Prometheus-Client are one."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _numbers(version: str) -> tuple[int, ...]:
    """Of what stands before letters: 2.0rc1 counts as 2.0."""
    match = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _padded(numbers: tuple[int, ...], length: int) -> tuple[int, ...]:
    return numbers + (0,) * (length - len(numbers))


def _remedy(why: str) -> str:
    """Some of our own sentences have it behind a colon."""
    return why.partition(": ")[2] if "sudo apt" in why else _AGAIN
