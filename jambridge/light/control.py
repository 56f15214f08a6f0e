"""What the main process and the light process tell each other: one JSON object a packet. Pure.

Down go the sources, the controllers and the settings, each the whole of it whenever it changes, and Quit; up go
reports.
"""

import dataclasses
import json
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, NewType, TypeVar, get_args, get_origin, get_type_hints

from jambridge import strict_json
from jambridge.audio.source import Source
from jambridge.errors import WireError
from jambridge.light.colour import ColorMode
from jambridge.light.safety import MOST_FLASHES_PER_S
from jambridge.light.wled import Controller
from jambridge.notes.tracker import Threshold

MAX_BYTES = 128 * 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sources:
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Controllers:
    controllers: tuple[Controller, ...]


@dataclass(frozen=True, slots=True)
class LightSettings:
    """The person's wishes, and the room's."""

    mode: Literal["local", "broadcast", "off"] = "local"
    """off: every strip has its own state back."""
    color_mode: ColorMode = "chromatic"
    brightness: float = 1.0
    max_fps: float = 60.0
    flashes_per_s: float = MOST_FLASHES_PER_S
    threshold: Threshold = "normal"


@dataclass(frozen=True, slots=True)
class Quit:
    """Release every strip and exit."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What is heard of one source. `age_s`: since its last sound arrived."""

    id: str
    name: str
    notes: tuple[int, ...]
    onset: bool
    level_dbfs: float
    age_s: float


@dataclass(frozen=True, slots=True)
class OutputReport:
    """What was sent to one WLED; `error` is why the newest frame was not."""

    mac: str
    frames_sent: int
    fps: float
    skipped: int
    errors: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """Counters since the light process started, and what is heard now."""

    pid: int
    ticks: int
    late_ticks: int
    cpu_s: float
    detector_s: float
    """Of `cpu_s`, in onset and note detection."""
    sources: tuple[SourceReport, ...]
    outputs: tuple[OutputReport, ...]


Message = Sources | Controllers | LightSettings | Quit | Report
_KINDS: dict[str, type[Message]] = {
    "sources": Sources,
    "controllers": Controllers,
    "settings": LightSettings,
    "quit": Quit,
    "report": Report,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode(message: Message) -> bytes:
    content = {"kind": _NAMES[type(message)], **dataclasses.asdict(message)}
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def decode(packet: bytes) -> Message:
    """Raises WireError, and nothing else, if `packet` is no message."""
    content = strict_json.loads_object(packet, MAX_BYTES)
    kind = content.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise WireError(f"no message: {packet[:60]!r}")
    return _build(_KINDS[kind], content)


def _build(kind: type[T], values: Any) -> T:
    """A dataclass from a JSON object with exactly its fields, each of its annotated type."""
    hints = get_type_hints(kind)
    if not isinstance(values, dict) or values.keys() != hints.keys():
        raise WireError(f"not a {kind.__name__}: {str(values)[:60]}")
    return kind(**{name: _checked(hints[name], value) for name, value in values.items()})


def _checked(hint: Any, value: Any) -> Any:
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value)
    if origin is tuple and isinstance(value, list):
        return tuple(_checked(arguments[0], item) for item in value)
    if hint is float and type(value) in (int, float):
        return float(value)
    fits = value in arguments if origin is Literal and isinstance(value, str) else type(value) is hint
    if fits or (origin is UnionType and type(value) in arguments):
        return value
    raise WireError(f"{str(value)[:40]!r} is no {hint}")
