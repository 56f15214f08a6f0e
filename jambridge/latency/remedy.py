"""What would shorten the longest stage of a way. Pure."""

from dataclasses import replace

from jambridge.config import AudioConfig
from jambridge.latency.budget import Stage, Verdict, Way

CAPTURE, PACKET, NETWORK, BUFFER, PLAYOUT = "capture", "packet", "network", "jitter buffer", "playout"
HEARING, OTHERS, FRAME = "hearing", "other rooms", "frame"
CARDS, REST = "cards", "rest"
IN_ORDER = (CARDS, CAPTURE, PACKET, NETWORK, BUFFER, PLAYOUT, HEARING, OTHERS, FRAME, REST)
"""As sound goes."""

_SHORTEST_BLOCK = 64
_SHORT_MS = 8.0
"""Nothing is said of a stage that takes no longer: a packet of 5 ms and its look-ahead."""
_SOONER = {"safe": "normal", "normal": "fast"}


def with_remedy(way: Way, section: AudioConfig) -> Way:
    """`way`, with what would help it most."""
    longest = way.longest
    if longest is None or longest.ms is None or longest.ms <= _SHORT_MS or way.doubt:
        return way
    return replace(way, remedy=_remedy(longest, way, section))


def _remedy(longest: Stage, way: Way, section: AudioConfig) -> str | None:
    match longest.name:
        case "capture" | "playout" | "cards":
            return _card(section.block_frames)
        case "packet":
            return None if way.verdict is Verdict.GOOD else "a box instead of a browser there: its packets are 5 ms"
        case "network":
            return _network(way.path)
        case "jitter buffer":
            return _buffer(section.playout)
        case "rest":
            return (
                "fewer programs beside it, the right to real-time priority, and a card of 48 kHz without a sound server"
            )
    return None


def _card(block_frames: int) -> str:
    if block_frames > _SHORTEST_BLOCK:
        return f"audio.block_frames: {block_frames} → {max(block_frames // 2, _SHORTEST_BLOCK)} (with JACK: its period)"
    return "name the card itself (audio.input, audio.output) instead of a sound server, or use JACK"


def _network(path: str | None) -> str:
    if path == "relay":
        return "another network path than the relay: let UDP through the router, or set up a relay that is nearer"
    if path == "host":
        return "a cable instead of Wi-Fi"
    return "a cable instead of Wi-Fi; the rest is distance"


def _buffer(playout: str) -> str:
    sooner = _SOONER.get(playout)
    return f"audio.playout: {playout} → {sooner}" if sooner else "less jitter: a cable instead of Wi-Fi"
