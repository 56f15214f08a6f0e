"""A room's `webrtc-signal`s as checked steps of a negotiation, and back. Pure.

Source: the project's wire contract, "Room": `data` is a browser's RTCSessionDescriptionInit, RTCIceCandidateInit or a
list of those.
"""

from dataclasses import dataclass

from jambridge.errors import WireError
from jambridge.peers import candidates, sdp
from jambridge.peers.candidates import MAX_CANDIDATES, Candidate
from jambridge.peers.sdp import Description
from jambridge.room.messages import Signal, SignalType
from jambridge.units import PeerId


@dataclass(frozen=True, slots=True)
class RemoteDescription:
    """An offer or an answer, as its description says. `connection` names the attempt, None for an older app."""

    connection: str | None
    description: Description


@dataclass(frozen=True, slots=True)
class RemoteCandidates:
    connection: str | None
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class RemoteBye:
    connection: str | None


Step = RemoteDescription | RemoteCandidates | RemoteBye


def read(signal: Signal) -> Step:
    """What a signal says.

    Raises:
        WireError: its data is malformed, too large or hostile.
    """
    match signal.type:
        case SignalType.OFFER | SignalType.ANSWER:
            return RemoteDescription(signal.connection, _description(signal))
        case SignalType.CANDIDATE:
            inits = signal.data if isinstance(signal.data, list) else [signal.data]
            found = map(candidates.parse_init, inits[: 2 * MAX_CANDIDATES])  # some are TCP and of no use
            return RemoteCandidates(signal.connection, tuple(filter(None, found)))
        case SignalType.BYE:
            return RemoteBye(signal.connection)


def description(sender: PeerId, target: PeerId, connection: str | None, kind: SignalType, text: str) -> Signal:
    """Our offer or answer."""
    return Signal(kind, target, sender, connection, {"type": kind.value, "sdp": text})


def bye(sender: PeerId, target: PeerId, connection: str) -> Signal:
    return Signal(SignalType.BYE, target, sender, connection, {})


def _description(signal: Signal) -> Description:
    if isinstance(signal.data, list):
        raise WireError("a description is one object")
    if signal.data.get("type", signal.type.value) != signal.type.value:
        raise WireError("a description of another type than its signal")
    return sdp.parse(signal.type.value, signal.data.get("sdp"))
