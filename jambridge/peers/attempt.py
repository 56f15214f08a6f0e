"""One attempt to connect with a peer, as its negotiation remembers it. Pure."""

import enum
from collections import deque
from dataclasses import dataclass, field

from jambridge.peers.candidates import Candidate
from jambridge.peers.sdp import Description
from jambridge.room.messages import Signal
from jambridge.units import LocalSeconds


class Phase(enum.Enum):
    DESCRIBING = "describing"
    OFFERED = "offered"
    CHECKING = "checking"
    CONNECTED = "connected"


@dataclass(slots=True)
class Attempt:
    """One connection. `remote` is the peer's description once known, `local` ours once sent."""

    number: int
    connection: str | None
    ours: bool
    started_at: LocalSeconds
    deadline: LocalSeconds
    phase: Phase = Phase.DESCRIBING
    remote: Description | None = None
    local: Signal | None = None
    resends: deque[LocalSeconds] = field(default_factory=deque)
    waiting: list[Candidate] = field(default_factory=list)
    dialled: int = 0
    connected_at: LocalSeconds | None = None
    heard_at: LocalSeconds | None = None

    @property
    def silent_since(self) -> LocalSeconds:
        moments = (self.heard_at, self.connected_at, self.started_at)
        return next(moment for moment in moments if moment is not None)
