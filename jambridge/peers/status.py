"""What the status page shows of the mesh. Pure."""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from jambridge.units import PeerId

SILENT_DBFS = -120.0


class PeerState(enum.StrEnum):
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One peer for the status page. `loss` is 0..1, `silent_s` the time since sound arrived."""

    id: PeerId
    name: str
    state: PeerState
    connection: str
    path: str | None
    loss: float
    level_dbfs: float
    silent_s: float | None
    packets: int
    network_ms: float | None = None
    """Half of the round trip, None while unknown."""
    way_ms: float | None = None
    """Half of the quickest round trip of the last half-minute."""
    jitter_ms: float | None = None
    """How far apart packets come; what waits for the late ones is in `playout_ms`."""
    playout_ms: float | None = None
    """How long packets wait here until they are played."""
    failures: int = 0
    """Attempts to connect that failed in a row."""
    wants_relay: bool = False
    """It has offered no other way, so none has failed."""
    undialled: Mapping[str, str] = field(default_factory=dict)
    """While there is no connection: addresses of the peer that packets are not sent to → why."""

    @property
    def latency_ms(self) -> float | None:
        """From there to our loudspeaker, as far as it is known."""
        known = [part for part in (self.network_ms, self.playout_ms) if part is not None]
        return sum(known) if known else None


@dataclass(slots=True)
class Drops:
    """What was not taken from outside, by reason."""

    malformed: int = 0
    unknown_sender: int = 0
    overflow: int = 0
    undialled: int = 0
    too_soon: int = 0
    data: int = 0
    """Datagrams, and messages and chunks of data channels."""


def dbfs(mean_square: float) -> float:
    """Level of samples with this mean square, full scale being 1; at least -120."""
    return max(10 * math.log10(mean_square), SILENT_DBFS) if mean_square > 0 else SILENT_DBFS
