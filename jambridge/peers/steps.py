"""What can happen to a peer's connections, and what a negotiation asks for. Pure.

A connection is known by the number of its attempt, which rises and is never used twice.
"""

from dataclasses import dataclass

from jambridge.peers.candidates import Candidate
from jambridge.peers.sdp import Description
from jambridge.peers.signals import RemoteBye, RemoteCandidates, RemoteDescription
from jambridge.room.messages import Signal


@dataclass(frozen=True, slots=True)
class Described:
    """Our description of an attempt is ready."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Connected:
    number: int


@dataclass(frozen=True, slots=True)
class Heard:
    """Sound arrived over an attempt."""

    number: int


@dataclass(frozen=True, slots=True)
class Broken:
    number: int


Event = Described | Connected | Heard | Broken | RemoteDescription | RemoteCandidates | RemoteBye


@dataclass(frozen=True, slots=True)
class Offer:
    """Open a connection and describe it as an offer."""

    number: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Open a connection for a peer's offer and describe it as an answer."""

    number: int
    description: Description


@dataclass(frozen=True, slots=True)
class Apply:
    """Give a connection the peer's answer."""

    number: int
    description: Description


@dataclass(frozen=True, slots=True)
class Dial:
    number: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Close:
    number: int


@dataclass(frozen=True, slots=True)
class Send:
    signal: Signal


Action = Offer | Answer | Apply | Dial | Close | Send
