"""How much the hub takes from whom, and how long it waits. Pure: time is a parameter."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Rates are per second; the defaults are the project's threat table."""

    max_members: int = 10
    """Distinct presence keys in a room; a key's second socket is a reconnection, not another member."""
    max_topics: int = 8
    """Rooms that one socket may be in."""
    max_presence_bytes: int = 8192
    message_rate: float = 30.0
    message_burst: float = 60.0
    mute_s: float = 10.0
    room_rate: float = 200.0
    room_burst: float = 400.0
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


class TokenBucket:
    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Take one token if there is one; `now_s` is monotonic."""
        if self._at_s is not None:
            self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class FloodGuard:
    """A token bucket whose exhaustion mutes for a while, so that a flood is not served at its highest legal rate."""

    def __init__(self, limits: Limits) -> None:
        self._bucket = TokenBucket(limits.message_rate, limits.message_burst)
        self._mute_s = limits.mute_s
        self._muted_until_s = float("-inf")

    def admit(self, now_s: float) -> bool:
        if now_s < self._muted_until_s:
            return False
        if self._bucket.take(now_s):
            return True
        self._muted_until_s = now_s + self._mute_s
        return False
