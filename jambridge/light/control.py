"""What the main process and the light process tell each other: one JSON message a packet. Pure.

Down: the sources, the controllers, the settings (each the whole of it, whenever it changes) and "quit". Up: a report.
"""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, NewType, TypeVar, get_args, get_origin, get_type_hints

from jambridge import strict_json
from jambridge.audio.feed import Source
from jambridge.errors import WireError
from jambridge.light.colour import ColorMode
from jambridge.light.safety import MOST_FLASHES_PER_S
from jambridge.light.wled import Controller
from jambridge.notes.tracker import Threshold

MAX_BYTES = 64 * 1024
T = TypeVar("T")


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


Down = tuple[Source, ...] | tuple[Controller, ...] | LightSettings | None


def encode_sources(sources: Iterable[Source]) -> bytes:
    return _encode("sources", [dataclasses.asdict(source) for source in sources])


def encode_controllers(controllers: Iterable[Controller]) -> bytes:
    return _encode("controllers", [dataclasses.asdict(controller) for controller in controllers])


def encode_settings(settings: LightSettings) -> bytes:
    return _encode("settings", dataclasses.asdict(settings))


def encode_quit() -> bytes:
    return _encode("quit", True)


def encode_report(report: Report) -> bytes:
    return _encode("report", dataclasses.asdict(report))


def decode(packet: bytes) -> tuple[str, Down]:
    """The kind of a message down ("sources", "controllers", "settings", "quit") and what it says.

    Raises:
        WireError: it is none. Nothing else is raised.
    """
    match strict_json.loads_object(packet, MAX_BYTES):
        case {"sources": list(items)}:
            return "sources", tuple(_build(Source, item) for item in items)
        case {"controllers": list(items)}:
            return "controllers", tuple(_build(Controller, item) for item in items)
        case {"settings": item}:
            return "settings", _build(LightSettings, item)
        case {"quit": True}:
            return "quit", None
    raise WireError(f"not a message to the light process: {packet[:60]!r}")


def decode_report(packet: bytes) -> Report:
    """Raises WireError, and nothing else, if it is no report."""
    match strict_json.loads_object(packet, MAX_BYTES):
        case {"report": {"sources": list(sources), "outputs": list(outputs), **rest}}:
            heard = tuple(_build(SourceReport, source) for source in sources)
            sent = tuple(_build(OutputReport, output) for output in outputs)
            return dataclasses.replace(
                _build(Report, {**rest, "sources": [], "outputs": []}), sources=heard, outputs=sent
            )
    raise WireError(f"not a report: {packet[:60]!r}")


def _encode(kind: str, content: Any) -> bytes:
    return json.dumps({kind: content}, separators=(",", ":"), allow_nan=False).encode()


def _build(kind: type[T], values: Any) -> T:
    """A dataclass from a JSON object with exactly its fields, each of its annotated type."""
    hints = get_type_hints(kind)
    if not isinstance(values, dict) or values.keys() != hints.keys():
        raise WireError(f"not a {kind.__name__}: {str(values)[:60]}")
    return kind(**{name: _checked(hints[name], value) for name, value in values.items()})


def _checked(hint: Any, value: Any) -> Any:
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    if get_origin(hint) is Literal and value in get_args(hint):
        return value
    if get_origin(hint) is UnionType and (value is None or isinstance(value, get_args(hint))):
        return value
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_checked(get_args(hint)[0], item) for item in value)
    if hint is float and type(value) in (int, float):
        return float(value)
    if type(value) is hint:
        return value
    raise WireError(f"{str(value)[:40]!r} is no {hint}")
