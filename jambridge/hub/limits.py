"""How much the hub takes from whom, and how long it waits. Pure: time is a parameter."""

from dataclasses import dataclass

from jambridge.room import flood


@dataclass(frozen=True, slots=True)
class Limits:
    """Rates are per second; the defaults are the project's threat table."""

    max_members: int = 10
    """Distinct presence keys in a room; a key's second socket is a reconnection, not another member."""
    max_topics: int = 8
    """Rooms that one socket may be in."""
    max_presence_bytes: int = 8192
    message_rate: float = flood.PEER_RATE
    message_burst: float = flood.PEER_BURST
    mute_s: float = flood.MUTE_S
    room_rate: float = flood.ROOM_RATE
    room_burst: float = flood.ROOM_BURST
    frame_rate: float = 200.0
    """Any frames of a socket, broken ones and heartbeats counted; beyond it the socket is closed."""
    frame_burst: float = 400.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a connection may take, and what may wait for it."""

    first_request_s: float = 10.0
    join_s: float = 5.0
    idle_s: float = 60.0  # a client's heartbeat comes every 25 s
    waiting_bytes: int = 512 * 1024
    waiting_messages: int = 512
