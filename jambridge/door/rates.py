"""How often each address may do something. Pure: time is a parameter."""

from collections import OrderedDict

from jambridge.room.flood import TokenBucket

_MOST = 1024  # addresses remembered; a network of a thousand hosts has other worries


class Rates:
    """A token bucket an address; the one longest not heard of is forgotten."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()
        self.refused = 0

    def take(self, address: str, now_s: float, tokens: float = 1.0) -> bool:
        bucket = self._buckets.pop(address, None) or TokenBucket(self._rate, self._burst)
        self._buckets[address] = bucket
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        taken = bucket.take(now_s, tokens)
        self.refused += not taken
        return taken
