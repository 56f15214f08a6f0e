"""What one client may send to a room, and what that costs a month. Pure: time is a parameter.

Source: Supabase's free tier, "Realtime limits": 100 messages a second for all, 5 presence calls in 30 s a client, two
million messages a month. A client of ours takes a fifth of the second's.
"""

import math
from collections import Counter, deque
from dataclasses import dataclass

from jambridge.room import messages
from jambridge.room.flood import TokenBucket
from jambridge.room.messages import Broadcast
from jambridge.units import LocalSeconds

RATE, BURST = 20.0, 40.0
LED_EVENT = "led-update"
LED_RATE, LED_BURST = 60.0, 60.0
"""At a hub, where nothing is billed: beside what all others may send."""
LED_PERIOD_S = 0.5  # over hosted Supabase; receivers animate between
LED_RESERVE = 10.0
"""Tokens that LEDs leave to the others, over hosted Supabase."""
MOST_WAITING = 256
SIGNAL_STALE_S = 5.0  # it was said again by then
STALE_S = 2.0
PRESENCE_CALLS, PRESENCE_WINDOW_S = 5, 30.0
MESSAGES_A_MONTH = 2_000_000

_SUPERSEDED = frozenset(
    {
        "tempo-change",
        "key-change",
        "scale-change",
        "color-mode-change",
        "playback-control",
        "state-digest",
        "host-change",
        "light-claims",
        LED_EVENT,
    }
)
"""Each says all there is to say: of two that wait the newer is enough."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    said: Broadcast
    since: LocalSeconds


class Outbox:
    """What waits for a token: signals first, then the rest in order; what waited too long is dropped and counted."""

    def __init__(self, *, hosted: bool = False) -> None:
        """`hosted`: LEDs are sent on change and at most twice a second, else up to sixty times."""
        self.dropped: Counter[str] = Counter()
        self._bucket = TokenBucket(RATE, BURST)
        self._led_bucket = self._bucket if hosted else TokenBucket(LED_RATE, LED_BURST)
        self._hosted = hosted
        self._signals: deque[_Waiting] = deque()
        self._others: dict[str | int, _Waiting] = {}
        self._put = 0
        self._shown: object = None
        self._led_due = LocalSeconds(-math.inf)

    def __len__(self) -> int:
        return len(self._signals) + len(self._others)

    def put(self, said: Broadcast, now: LocalSeconds) -> None:
        """Append it, in place of what it supersedes; refused and counted where too much waits."""
        self._drop_stale(now)
        if said.event == LED_EVENT and self._hosted and said.payload.get("colors") == self._shown:
            self._others.pop(LED_EVENT, None)
        elif len(self) >= MOST_WAITING:
            self.dropped["outbox-full"] += 1
        elif said.event == messages.SIGNAL_EVENT:
            self._signals.append(_Waiting(said, now))
        else:
            self._put += 1
            self._others[said.event if said.event in _SUPERSEDED else self._put] = _Waiting(said, now)

    def take(self, now: LocalSeconds) -> Broadcast | None:
        """The next to be sent, if one may be sent now."""
        self._drop_stale(now)
        if self._signals and self._bucket.take(now):
            return self._signals.popleft().said
        for key, waiting in self._others.items():
            bucket = self._led_bucket if waiting.said.event == LED_EVENT else self._bucket
            if self._wait_s(waiting.said, now) <= 0 and bucket.take(now):
                del self._others[key]
                self._sent(waiting.said, now)
                return waiting.said
        return None

    def wait_s(self, now: LocalSeconds) -> float | None:
        """When to `take` again if nothing is put meanwhile; None: nothing waits."""
        waits = [self._wait_s(waiting.said, now) for waiting in self._others.values()]
        return min([*waits, self._bucket.wait_s(now)] if self._signals else waits, default=None)

    def clear(self) -> None:
        """Forget what waits: it would be said too late."""
        self.dropped["away"] += len(self)
        self._signals.clear()
        self._others.clear()

    def _wait_s(self, said: Broadcast, now: LocalSeconds) -> float:
        if said.event != LED_EVENT:
            return self._bucket.wait_s(now)
        tokens = LED_RESERVE + 1 if self._hosted else 1.0
        return max(self._led_bucket.wait_s(now, tokens), self._led_due - now)

    def _sent(self, said: Broadcast, now: LocalSeconds) -> None:
        if said.event == LED_EVENT and self._hosted:
            self._shown = said.payload.get("colors")
            self._led_due = LocalSeconds(now + LED_PERIOD_S)

    def _drop_stale(self, now: LocalSeconds) -> None:
        while self._signals and now - self._signals[0].since > SIGNAL_STALE_S:
            self._signals.popleft()
            self.dropped["stale"] += 1
        for key in [key for key, waiting in self._others.items() if now - waiting.since > STALE_S]:
            del self._others[key]
            self.dropped["stale"] += 1


class PresenceCalls:
    """When presence may be tracked or untracked: more than five in 30 s close the channel."""

    def __init__(self) -> None:
        self._calls: deque[LocalSeconds] = deque(maxlen=PRESENCE_CALLS)

    def wait_s(self, now: LocalSeconds) -> float:
        """How long to wait for the next call; 0: it may be made."""
        if len(self._calls) < PRESENCE_CALLS:
            return 0.0
        return max(0.0, self._calls[0] + PRESENCE_WINDOW_S - now)

    def made(self, now: LocalSeconds) -> None:
        self._calls.append(now)


class Quota:
    """Messages of a room as they are billed, and how long the month's would last at the present rate."""

    WINDOW_S = 600.0
    _BINS = 20

    def __init__(self) -> None:
        self.sent = self.received = 0
        self._bins: deque[tuple[int, int]] = deque(maxlen=self._BINS)  # (which half minute, messages billed)
        self._started: LocalSeconds | None = None

    def count_sent(self, members: int, now: LocalSeconds) -> None:
        self.sent += 1
        self._bill(members, now)

    def count_received(self, members: int, now: LocalSeconds) -> None:
        self.received += 1
        self._bill(members, now)

    def days(self, now: LocalSeconds) -> float | None:
        """Days until two million are used up, by the last ten minutes; None while nothing was said in them."""
        if self._started is None:
            return None
        billed = sum(messages for index, messages in self._bins if now - index * self._bin_s < self.WINDOW_S)
        seconds = min(self.WINDOW_S, max(self._bin_s, now - self._started))
        return MESSAGES_A_MONTH / (billed / seconds) / 86_400 if billed else None

    @property
    def _bin_s(self) -> float:
        return self.WINDOW_S / self._BINS

    def _bill(self, members: int, now: LocalSeconds) -> None:
        """A broadcast costs one, and one for each who gets it: as many as there are members."""
        self._started = now if self._started is None else self._started
        index = int(now // self._bin_s)
        if not self._bins or self._bins[-1][0] != index:
            self._bins.append((index, 0))
        self._bins[-1] = (index, self._bins[-1][1] + max(1, members))
