"""What the main process and the light process tell each other: one JSON object a packet. Pure.

Down go the sources, the controllers, the settings, the room clock's course, the timing and the music, each the whole of
it whenever it changes, Try, Watch and Quit; up go reports and, while somebody watches, previews.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jambridge.audio.source import Source
from jambridge.light.colour import ColorMode
from jambridge.light.effects import PLAIN, EffectName, Style
from jambridge.light.music import Music
from jambridge.light.patterns import PatternName
from jambridge.light.presenting import Timing
from jambridge.light.safety import MOST_FLASHES_PER_S
from jambridge.light.wled import Controller
from jambridge.light.zones import Zone
from jambridge.notes.stroke import Stroke
from jambridge.notes.tracker import Threshold
from jambridge.sync.clock import Course
from jambridge.typed_json import Codec
from jambridge.units import PeerId


@dataclass(frozen=True, slots=True)
class Sources:
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class MidiPlayer:
    """Who plays over MIDI, with sound or without: `strokes` are all that sound, and those that ended a moment ago."""

    id: PeerId
    name: str
    instrument: str
    is_line_in: bool
    """At this box."""
    strokes: tuple[Stroke, ...] = ()


@dataclass(frozen=True, slots=True)
class MidiPlayers:
    players: tuple[MidiPlayer, ...]


@dataclass(frozen=True, slots=True)
class Controllers:
    controllers: tuple[Controller, ...]


@dataclass(frozen=True, slots=True)
class LightSettings:
    """The person's wishes, and the room's."""

    mode: Literal["local", "broadcast", "off"] = "local"
    """off: every strip has its own state back."""
    paused: bool = False
    """Every strip has its own state back until this ends; what is heard is still told."""
    color_mode: ColorMode = "chromatic"
    brightness: float = 1.0
    max_fps: float = 60.0
    flashes_per_s: float = MOST_FLASHES_PER_S
    threshold: Threshold = "normal"
    effect: EffectName = "notes"
    shares: bool = False
    """Tell of the picture, for others to show."""
    style: Style = PLAIN
    zones: tuple[Zone, ...] = ()


@dataclass(frozen=True, slots=True)
class Try:
    """Show a pattern on one WLED, whether it is driven or not. `number` tells it from the one before."""

    controller: Controller
    pattern: PatternName
    number: int


@dataclass(frozen=True, slots=True)
class Picture:
    """At most 128 colours, base64 of three bytes each: down the host's, to be shown; up ours, for others to show.

    `fade_s`: in which the next picture comes up; `at_s`: the moment of room time that it shows, where that is said.
    """

    rgb: str
    fade_s: float = 0.0
    at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Whether anybody looks at previews."""

    is_on: bool


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
    """What was sent to one WLED; `error` is why a frame of the last seconds was not."""

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
    needs_s: float | None = None
    """How long after it was played what sounds is known; while a delay is in force."""


Message = (
    Sources
    | MidiPlayers
    | Controllers
    | LightSettings
    | Course
    | Timing
    | Music
    | Picture
    | Try
    | Watch
    | Quit
    | Report
)
_CODEC: Codec[Message] = Codec(
    {
        "sources": Sources,
        "midi": MidiPlayers,
        "controllers": Controllers,
        "settings": LightSettings,
        "course": Course,
        "timing": Timing,
        "music": Music,
        "picture": Picture,
        "try": Try,
        "watch": Watch,
        "quit": Quit,
        "report": Report,
    }
)
encode = _CODEC.encode
decode = _CODEC.decode
_PREVIEWS = b"previews "


def encode_previews(strips: Mapping[str, str]) -> bytes:
    """What each strip shows, by MAC, see `preview.of`; empty while it has its own state."""
    return _PREVIEWS + json.dumps(strips, separators=(",", ":")).encode()


def previews(packet: bytes) -> bytes | None:
    """That as JSON, which is passed on as it is; None where `packet` is a message."""
    return packet[len(_PREVIEWS) :] if packet.startswith(_PREVIEWS) else None
