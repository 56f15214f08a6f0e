"""What the main process and that of MIDI tell each other. Pure.

Messages of MIDI itself are packed, all else is JSON: settings and the clock down, reports up.
"""

import struct
from dataclasses import dataclass

from jambridge.errors import WireError
from jambridge.midi.choice import ALL
from jambridge.sync.beat import Beat
from jambridge.sync.clock import Course
from jambridge.typed_json import Codec
from jambridge.units import LocalSeconds

_HEADER = struct.Struct("=BId")
_PLAYED, _PLAY = 1, 2


@dataclass(frozen=True, slots=True)
class Settings:
    """Which ports: parts of their names, or ALL."""

    inputs: tuple[str, ...] = (ALL,)
    outputs: tuple[str, ...] = (ALL,)
    sends_clock: bool = False
    follows_clock: bool = False
    sysex: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """The room's time and beat, for the clock that is sent."""

    course: Course
    beat: Beat


@dataclass(frozen=True, slots=True)
class Hush:
    """A source is gone: end what it holds."""

    source: int


@dataclass(frozen=True, slots=True)
class Panic:
    """End everything, whoever holds it, and what nobody knows of as well."""


@dataclass(frozen=True, slots=True)
class Quit:
    """End all that sounds, and exit."""


@dataclass(frozen=True, slots=True)
class Gone:
    """An input is not there any more: what it holds is over."""

    source: int


@dataclass(frozen=True, slots=True)
class Followed:
    """What an input's clock says; `is_playing` None: nothing new."""

    tempo: float | None = None
    is_playing: bool | None = None


@dataclass(frozen=True, slots=True)
class PortsReport:
    """The ports in use, and those that there are; `problem`: why none, or not all that were asked for."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    problem: str | None = None
    sent: int = 0
    received: int = 0
    dropped: int = 0
    """Of no use: cut off, out of place, filtered; or too long."""
    too_long: int = 0
    """System exclusives that the outputs do not take."""
    echoes: int = 0
    sounding: int = 0
    """Notes held at the outputs."""
    ticks: int = 0
    late_ms: float = 0.0
    """The latest tick of the clock since the last report."""
    cpu_s: float = 0.0


Message = Settings | Tick | Hush | Panic | Quit | Gone | Followed | PortsReport
_CODEC: Codec[Message] = Codec(
    {
        "settings": Settings,
        "tick": Tick,
        "hush": Hush,
        "panic": Panic,
        "quit": Quit,
        "gone": Gone,
        "followed": Followed,
        "ports": PortsReport,
    }
)
encode = _CODEC.encode
decode = _CODEC.decode


@dataclass(frozen=True, slots=True)
class Played:
    """A message that came into an input: `source` is the port's number, another after it was gone."""

    source: int
    at: LocalSeconds
    message: bytes


@dataclass(frozen=True, slots=True)
class Play:
    """A message of a peer for every output, not before `due`."""

    source: int
    due: LocalSeconds
    message: bytes


def pack(message: Played | Play) -> bytes:
    if isinstance(message, Played):
        return _HEADER.pack(_PLAYED, message.source, message.at) + message.message
    return _HEADER.pack(_PLAY, message.source, message.due) + message.message


def unpack(packet: bytes) -> Played | Play | None:
    """None: it is JSON.

    Raises:
        WireError: it is too short.
    """
    if packet[:1] not in (b"\x01", b"\x02"):
        return None
    if len(packet) <= _HEADER.size:
        raise WireError("too short for a message of MIDI")
    which, source, moment = _HEADER.unpack_from(packet)
    kind = Played if which == _PLAYED else Play
    return kind(source, LocalSeconds(moment), packet[_HEADER.size :])
