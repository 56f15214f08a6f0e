"""How much is taken from whom. Pure: time is a parameter. The rates are the project's threat table."""

from collections import OrderedDict

PEER_RATE, PEER_BURST, MUTE_S = 30.0, 60.0, 10.0
LED_RATE, LED_BURST = 90.0, 360.0
"""A host's, sixty a second, and what a stall of five seconds held back."""
ROOM_RATE, ROOM_BURST = 200.0, 400.0
_MOST_PEERS = 64  # guards kept: names are free for who floods


class TokenBucket:
    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at_s: float | None = None

    def take(self, now_s: float, tokens: float = 1.0) -> bool:
        """Take so many tokens if there are as many; `now_s` is monotonic."""
        self._fill(now_s)
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    def wait_s(self, now_s: float, tokens: float = 1.0) -> float:
        """How long until there are so many tokens, if none is taken meanwhile."""
        self._fill(now_s)
        return max(0.0, (tokens - self._tokens) / self._rate)

    def _fill(self, now_s: float) -> None:
        if self._at_s is not None:
            self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s


class FloodGuard:
    """A token bucket whose exhaustion mutes for a while, so that a flood is not served at its highest legal rate."""

    def __init__(self, rate: float = PEER_RATE, burst: float = PEER_BURST, mute_s: float = MUTE_S) -> None:
        self._bucket = TokenBucket(rate, burst)
        self._mute_s = mute_s
        self._muted_until_s = float("-inf")

    def admit(self, now_s: float) -> bool:
        if now_s < self._muted_until_s:
            return False
        if self._bucket.take(now_s):
            return True
        self._muted_until_s = now_s + self._mute_s
        return False


class RoomGuard:
    """What a member takes from all others: a guard each, of `rate` and `burst`, and one over all of them."""

    def __init__(self, rate: float = PEER_RATE, burst: float = PEER_BURST) -> None:
        self._rate = rate
        self._burst = burst
        self._room = TokenBucket(ROOM_RATE, ROOM_BURST)
        self._peers: OrderedDict[str, FloodGuard] = OrderedDict()

    def admit(self, sender: str, now_s: float) -> bool:
        guard = self._peers.pop(sender, None) or FloodGuard(self._rate, self._burst)
        self._peers[sender] = guard
        if len(self._peers) > _MOST_PEERS:
            self._peers.popitem(last=False)
        return guard.admit(now_s) and self._room.take(now_s)
