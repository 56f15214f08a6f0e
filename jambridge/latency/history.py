"""What was measured before: a JSON object a line, the newest last, at most a thousand of them."""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jambridge import strict_json, whole_file
from jambridge.errors import DeviceError, WireError
from jambridge.latency.budget import Verdict, Way
from jambridge.strict_json import JsonObject

FILE = "latency.jsonl"
MOST_ENTRIES = 1000
_MOST_BYTES = 16 * 1024  # of an entry: four musicians have twelve ways


@dataclass(frozen=True, slots=True)
class Series:
    """One way over time, the oldest first."""

    kind: str
    who: str
    sums_ms: tuple[float, ...]


def entry(at: str, ways: Sequence[Way]) -> JsonObject:
    """What is kept of a measurement made `at`, ISO 8601."""
    return {"at": at, "ways": [_kept(way) for way in ways]}


def add(directory: Path, measured: JsonObject) -> None:
    """Write it behind the others; the oldest go.

    Raises:
        DeviceError: the directory cannot be written.
    """
    try:
        with _locked(directory):
            kept = [*read(directory), measured][-MOST_ENTRIES:]
            whole_file.write(directory / FILE, "".join(json.dumps(one) + "\n" for one in kept).encode())
    except OSError as exc:
        raise DeviceError(f"cannot write {directory / FILE}: {exc.strerror}") from exc


def read(directory: Path) -> list[JsonObject]:
    """The oldest first; lines that are damaged are left out."""
    try:
        with (directory / FILE).open("rb") as file:
            return [found for line in file if (found := _parsed(line)) is not None]
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise DeviceError(f"cannot read {directory / FILE}: {exc.strerror}") from exc


def series(entries: Sequence[JsonObject]) -> list[Series]:
    """Each way that was ever measured so that it can be relied on, in the order in which they first were."""
    found: dict[tuple[str, str], list[float]] = {}
    for way in (way for one in entries for way in one["ways"]):
        if way["sum_ms"] is not None and way["verdict"] != Verdict.UNRELIABLE:
            found.setdefault((way["kind"], way["who"]), []).append(way["sum_ms"])
    return [Series(kind, who, tuple(sums)) for (kind, who), sums in found.items()]


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Against a second command that writes at the same time."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _kept(way: Way) -> JsonObject:
    sum_ms = way.sum_ms
    return {
        "kind": way.kind.value,
        "who": way.who,
        "path": way.path,
        "sum_ms": None if sum_ms is None else round(sum_ms, 2),
        "whole": way.is_whole,
        "verdict": way.verdict.value,
        "stages": {stage.name: None if stage.ms is None else round(stage.ms, 2) for stage in way.stages},
    }


def _parsed(line: bytes) -> JsonObject | None:
    try:
        found = strict_json.loads_object(line, _MOST_BYTES)
        return {"at": str(found["at"]), "ways": [_way(one) for one in found["ways"]]}
    except (WireError, KeyError, TypeError, ValueError):
        return None


def _way(one: JsonObject) -> JsonObject:
    sum_ms = one["sum_ms"]
    return {
        **{key: one[key] for key in ("path", "whole", "stages")},
        **{key: str(one[key]) for key in ("kind", "who", "verdict")},
        "sum_ms": None if sum_ms is None else float(sum_ms),
    }
