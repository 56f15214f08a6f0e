"""What people must know of the musicians' connections: status in, the contract's texts and their causes out. Pure.

Each text has a bound at which it comes and a lower one at which it goes, and a time for which it must hold, so that
none flickers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jambridge.errors import Text
from jambridge.peers.status import PeerState, PeerStatus
from jambridge.units import LocalSeconds, PeerId

SILENT_S: Final = 5.0  # since when a second connection is being tried
MANY_FAILURES: Final = 3
LOSS: Final = (0.05, 0.02)  # comes at, goes below: share of packets
JITTER_MS: Final = (30.0, 20.0)
LATENCY_MS: Final = (100.0, 90.0)
_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class _Sign:
    """`cause` says why a peer shows it, None if not; `told` is whether it is being told of them already."""

    text: Text
    after_s: float
    cause: Callable[[PeerStatus, bool], str | None]


class Trouble:
    """Remembers since when each peer shows each sign."""

    def __init__(self, relay_only: bool) -> None:
        self._signs = _SIGNS if not relay_only else tuple(sign for sign in _SIGNS if sign.text != Text.DIRECT_RELAY)
        self._since: dict[tuple[Text, PeerId], LocalSeconds] = {}
        self._told: set[tuple[Text, PeerId]] = set()

    def look(self, peers: Sequence[PeerStatus], server_errors: Mapping[str, str], now: LocalSeconds) -> dict[Text, str]:
        """The texts in force at `now`, each with its cause.

        Args:
            peers: everyone that a connection is wanted with.
            server_errors: what is wrong with STUN and TURN servers, by URL.
            now: never less than before.
        """
        causes: dict[Text, list[str]] = {}
        shown: set[tuple[Text, PeerId]] = set()
        for sign in self._signs:
            for peer in peers:
                key = sign.text, peer.id
                cause = sign.cause(peer, key in self._told)
                if cause is None:
                    continue
                shown.add(key)
                if now - self._since.setdefault(key, now) >= sign.after_s:
                    self._told.add(key)
                    causes.setdefault(sign.text, []).append(f"{peer.name}: {cause}")
        self._since = {key: since for key, since in self._since.items() if key in shown}
        self._told &= shown
        blamed = [f"{url}: {error}" for url, error in server_errors.items()]
        return {text: "; ".join(said + (blamed if text in _OF_SERVERS else [])) for text, said in causes.items()}


def _retrying(peer: PeerStatus, _told: bool) -> str | None:
    if peer.state is PeerState.CONNECTED:
        return None
    if peer.failures:
        undialled = [f", not dialled: {address} ({reason})" for address, reason in peer.undialled.items()][:_MOST_NAMED]
        return f"no connection after {peer.failures} attempt{'s' if peer.failures > 1 else ''}{''.join(undialled)}"
    if peer.silent_s is not None and peer.silent_s >= SILENT_S:
        return f"nothing heard for {peer.silent_s:.0f} s"
    return None


def _relayed(peer: PeerStatus, _told: bool) -> str | None:
    instead = peer.state is PeerState.CONNECTED and peer.path == "relay" and not peer.wants_relay
    return "connected through a TURN server" if instead else None


def _limited(peer: PeerStatus, told: bool) -> str | None:
    if peer.state is not PeerState.CONNECTED:
        many = peer.failures >= MANY_FAILURES
        return f"no connection after {peer.failures} attempts" if many else None
    if peer.loss >= LOSS[told]:
        return f"{100 * peer.loss:.0f} % of packets lost"
    if peer.jitter_ms is not None and peer.jitter_ms >= JITTER_MS[told]:
        return f"packets come {peer.jitter_ms:.0f} ms early or late"
    return None


def _late(peer: PeerStatus, told: bool) -> str | None:
    latency_ms = peer.latency_ms
    if peer.state is not PeerState.CONNECTED or latency_ms is None or latency_ms <= LATENCY_MS[told]:
        return None
    parts = (("network", peer.network_ms), ("waiting for late packets", peer.playout_ms))
    of = ", ".join(f"{name} {part:.0f}" for name, part in parts if part is not None)
    return f"{latency_ms:.0f} ms ({of})"


_SIGNS: Final = (
    _Sign(Text.DIRECT_RETRYING, 1.0, _retrying),  # one attempt may fail for want of a message, and the next follows
    _Sign(Text.DIRECT_RELAY, 0.0, _relayed),
    _Sign(Text.LIMITED, 3.0, _limited),
    _Sign(Text.HIGH_LATENCY, 3.0, _late),
)
_OF_SERVERS: Final = (Text.DIRECT_RETRYING, Text.LIMITED)
TEXTS: Final = tuple(sign.text for sign in _SIGNS)
