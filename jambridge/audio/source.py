"""Who is heard in which ring. Pure: the light process needs this much of the main one, and no more."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jambridge.units import LocalSeconds, PeerId


@dataclass(frozen=True, slots=True)
class Source:
    """Who plays in which slot; a slot used again has the next generation. The line-in is there without a room, too."""

    slot: int
    generation: int
    id: PeerId
    name: str
    is_line_in: bool = False
    instrument: str = ""


class AudioSink(Protocol):
    """Where one source's sound goes. Neither method may raise or block: they are called from reception itself."""

    def write(self, block: NDArray[np.float32]) -> None:
        """Take `block`, shape (frames, channels), about -1..1 at 48 kHz."""

    def close(self) -> None: ...


class PacketSink(Protocol):
    """Where one peer's Opus packets go to be played in time. Neither method may raise or block."""

    def put(self, stream: int, sequence: int, timestamp: int, payload: bytes, arrived_at: LocalSeconds) -> None:
        """Take `payload`, of RTP's `sequence` and `timestamp`; `stream` is another for each connection and source."""

    def close(self) -> None: ...
