"""What the main process and those of the sound cards tell each other. Pure.

Down go the settings, whenever they change, and Quit; up go reports, ten times a second.
"""

from dataclasses import dataclass
from typing import Literal

from jambridge.audio.mix.meter import SILENT_DBFS
from jambridge.audio.opus import FRAME_FRAMES
from jambridge.typed_json import Codec

SafetyName = Literal["safe", "normal", "fast"]


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    frame_frames: int = FRAME_FRAMES
    """Of a packet."""
    sends: bool = True
    """False: the line-in only lights."""
    is_muted: bool = False
    """Peers get silence; it lights all the same."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One peer in the mix; `gain` 0..2."""

    slot: int
    generation: int
    gain: float = 1.0
    is_muted: bool = False


@dataclass(frozen=True, slots=True)
class PlaybackSettings:
    master_volume: float = 0.8
    is_muted: bool = False
    safety: SafetyName = "normal"
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """The strongest tone of the line-in now, for the howl guard."""

    frequency_hz: float
    level_dbfs: float
    tonality: float


@dataclass(frozen=True, slots=True)
class Quit:
    """Let the card go, and exit."""


@dataclass(frozen=True, slots=True)
class CardReport:
    """A card in use, or `problem`: why none is; both None: there is none, and none was asked for."""

    card: str | None = None
    problem: str | None = None
    rate_hz: float = 0.0
    blocks: int = 0
    """Callbacks so far."""
    missed: int = 0
    """Of them, those before which sound was lost: overflows of an input, underflows of an output."""
    failed: int = 0
    """And those that a fault of ours has made silent."""
    latency_ms: float = 0.0
    """As the driver says, which some do not know."""
    cpu_s: float = 0.0
    chosen: str | None = None
    """The card that was in use last, where none was asked for by name: no other one takes its place by itself."""


@dataclass(frozen=True, slots=True)
class CaptureReport:
    card: CardReport = CardReport()
    peak_dbfs: float = SILENT_DBFS
    level_dbfs: float = SILENT_DBFS
    silent_s: float = 0.0
    """How long the card has given nothing that could be a microphone."""
    packets: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """How one peer is played; counters since it came."""

    slot: int
    generation: int
    level_dbfs: float
    depth_ms: float
    target_ms: float
    jitter_ms: float
    underruns: int
    late: int
    lost: int
    recovered: int
    concealed: float
    """Share of the last minute's sound, 0..1."""
    concealed_ms: float
    splices: int
    rate_ppm: float


@dataclass(frozen=True, slots=True)
class PlaybackReport:
    card: CardReport = CardReport()
    peak_dbfs: float = SILENT_DBFS
    level_dbfs: float = SILENT_DBFS
    limited_db: float = 0.0
    """How far the limiter and the howl guard turn the mix down."""
    is_howling: bool = False
    channels: tuple[ChannelReport, ...] = ()


Message = CaptureSettings | PlaybackSettings | Heard | Quit | CaptureReport | PlaybackReport
_CODEC: Codec[Message] = Codec(
    {
        "capture": CaptureSettings,
        "playback": PlaybackSettings,
        "heard": Heard,
        "quit": Quit,
        "captured": CaptureReport,
        "played": PlaybackReport,
    }
)
encode = _CODEC.encode
decode = _CODEC.decode


def is_heard(packet: bytes) -> bool:
    """Whether it is a `Heard`, which is passed on as it is."""
    return packet.startswith(b'{"kind":"heard"')
