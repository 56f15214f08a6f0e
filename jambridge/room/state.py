"""What a room agrees on: tempo, key, scale, colour mode, playing. Pure.

Each field carries its own stamp and the higher stamp wins, so that merging is commutative, associative and idempotent
and needs no leader. Equal stamps with different values, which only a liar makes, are decided by the value.
"""

import enum
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.strict_json import JsonObject

FIELDS = ("tempo", "key", "scale", "colorMode", "isPlaying")
TEMPO_BPM = (40, 300)
COLOR_MODES = ("chromatic", "harmonic")
MAX_SCALE = 32  # characters
MOST_AHEAD = 1000
"""Revisions: who is further ahead than this is refused, so that a liar cannot put a field out of everyone's reach."""
HIGHEST_REVISION = 2**53 - 1  # what JavaScript counts exactly
MOST_OTHERS = 8  # fields we do not know, of newer or other programs
MAX_OTHER = 512  # characters of such a field as JSON

_ATTRIBUTES = dict(zip(FIELDS, ("tempo", "key", "scale", "color_mode", "is_playing"), strict=True))
_MUSICAL_KEY = re.compile(r"[A-G][#b]?")
_NAME = re.compile(r"[\x21-\x7e]{1,64}")


class Trust(enum.IntEnum):
    """Up to which revision somebody may be further ahead than MOST_AHEAD. The end of the numbers stays out of reach."""

    MEMBER = 0
    ANSWER = 2**40
    """Who answers a newcomer, which knows nothing yet."""
    HOST = 2**52
    """It may itself have followed such an answer."""


class Stamp(NamedTuple):
    """Who changed a field, and the how manieth change of it that was."""

    revision: int = 0
    author: str = ""


_UNSTAMPED: Mapping[str, Stamp] = MappingProxyType(dict.fromkeys(FIELDS, Stamp()))
_NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RoomState:
    """`others` are the fields of a state-sync that we do not know: kept and given back."""

    tempo: float = 120.0
    key: str = "C"
    scale: str = "major"
    color_mode: str = "chromatic"
    is_playing: bool = False
    stamps: Mapping[str, Stamp] = field(default_factory=lambda: _UNSTAMPED)
    others: Mapping[str, object] = field(default_factory=lambda: _NOTHING)

    @property
    def revision(self) -> int:
        """All fields' revisions together: every change and every merge that brings something new raises it."""
        return sum(stamp.revision for stamp in self.stamps.values())

    def values(self) -> JsonObject:
        """The five fields, by their names on the wire."""
        tempo = int(self.tempo) if self.tempo == int(self.tempo) else self.tempo
        return {"tempo": tempo} | {name: self.value(name) for name in FIELDS[1:]}

    def value(self, name: str) -> object:
        """A field by its name on the wire; KeyError if there is none."""
        return getattr(self, _ATTRIBUTES[name]) if name in _ATTRIBUTES else self.others[name]

    def stamp(self, name: str) -> Stamp:
        return self.stamps.get(name, Stamp())

    def changed(self, name: str, value: object, author: str) -> "RoomState":
        """The next state after `author` has set one field; WireError for a bad value."""
        return self.put(name, checked(name, value), Stamp(self.stamp(name).revision + 1, author))

    def put(self, name: str, value: object, stamp: Stamp) -> "RoomState":
        """One checked field with its stamp, whatever was there. Of unknown fields only the first by name are kept."""
        stamps = {**self.stamps, name: stamp}
        if name in _ATTRIBUTES:
            changes: dict[str, Any] = {_ATTRIBUTES[name]: value, "stamps": stamps}
            return replace(self, **changes)
        others = {**self.others, name: value}
        kept = sorted(others)[:MOST_OTHERS]
        return replace(
            self,
            others={key: others[key] for key in kept},
            stamps={key: stamps[key] for key in (*FIELDS, *kept)},
        )

    def take(self, name: str, value: object, stamp: Stamp) -> "RoomState":
        """One checked field merged in: `put` if it is higher than what is there."""
        if name in self.others or name in _ATTRIBUTES:
            mine = self.value(name)
            if (stamp, _order(value)) <= (self.stamp(name), _order(mine)):
                return self
        return self.put(name, value, stamp)

    def offered(self, name: str, value: object, stamp: Stamp, trust: Trust) -> "RoomState | None":
        """`take` of what a member says; None if it is too far ahead.

        A host that is as far behind would never take ours, so we take its word.
        """
        ahead = stamp.revision - self.stamp(name).revision
        if ahead > MOST_AHEAD and stamp.revision > trust:
            return None
        if trust is Trust.HOST and ahead < -MOST_AHEAD:
            return self.put(name, value, stamp)
        return self.take(name, value, stamp)

    def merged(self, other: "RoomState") -> "RoomState":
        merged = self
        for name, stamp in other.stamps.items():
            merged = merged.take(name, other.value(name), stamp)
        return merged


_RANGES = {
    "tempo": f"a number from {TEMPO_BPM[0]} to {TEMPO_BPM[1]}",
    "key": "a note as C, D# or Bb",
    "scale": f"a text of 1 to {MAX_SCALE} characters as major or dorian",
    "colorMode": " or ".join(COLOR_MODES),
    "isPlaying": "true or false",
}


def checked(name: str, value: object) -> Any:
    """The value as it is kept, of one of FIELDS.

    Raises:
        WireError: there is no such field, or it cannot have this value.
    """
    match name, value:
        case "tempo", int() | float() if not isinstance(value, bool) and TEMPO_BPM[0] <= value <= TEMPO_BPM[1]:
            return float(value)
        case "key", str() if _MUSICAL_KEY.fullmatch(value):
            return value
        case "scale", str() if 0 < len(value) <= MAX_SCALE and value.isprintable() and value.strip() == value:
            return value
        case "colorMode", str() if value in COLOR_MODES:
            return value
        case "isPlaying", bool():
            return value
    if name not in _RANGES:
        raise WireError(f"there is no {str(name)[:20]!r}: the fields are {', '.join(FIELDS)}")
    raise WireError(f"{name} is {_RANGES[name]}, not {str(value)[:20]!r}")


def checked_other(name: str, value: object) -> Any:
    """A field that we only carry; WireError if its name or size is odd, or it holds a number beyond all reason."""
    text = _text(value)
    if not _NAME.fullmatch(name) or len(text) > MAX_OTHER:
        raise WireError("a field of the state with an odd name, or too large")
    strict_json.loads(text, MAX_OTHER)
    return value


def checked_stamp(value: object) -> Stamp:
    """A stamp as `[revision, author]`; WireError otherwise."""
    match value:
        case [int() as revision, str() as author] if not isinstance(revision, bool):
            if 0 <= revision <= HIGHEST_REVISION and (not author or _NAME.fullmatch(author)):
                return Stamp(revision, author)
    raise WireError("a stamp is a revision and an author")


def _order(value: object) -> tuple[float, bytes]:
    """A total order of a field's values. Texts as JavaScript compares them, so that the jam page agrees."""
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value), b""
    return math.inf, (value if isinstance(value, str) else _text(value)).encode("utf-16-be", "surrogatepass")


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
