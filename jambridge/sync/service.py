"""Keeps the room clock: pings the host, and answers the pings of everyone.

`Sync` is told of texts as they arrive, and outlives the service, so that the clock runs on while that is restarted.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from jambridge.edges import Latest
from jambridge.errors import WireError
from jambridge.room.flood import TokenBucket
from jambridge.sync import messages
from jambridge.sync.beat import Beat
from jambridge.sync.clock import Course, RoomClock
from jambridge.sync.messages import Ping, Pong
from jambridge.sync.offset import Exchange, RemoteSeconds
from jambridge.units import LocalSeconds, PeerId, RoomSeconds

EAGER_S = 1.0  # after a change of host
EAGER_PERIOD_S = 0.1
PERIOD_S = 0.25  # sixteen exchanges are four seconds, in which two clocks part by less than 1 ms
ANSWERED_WITHIN_S = 2.0
MAX_UNANSWERED = 32
ANSWERS, ANSWERS_BURST = 20.0, 40.0  # a second, to one peer
MAX_PEERS = 64


@dataclass(frozen=True, slots=True)
class ClockReport:
    """The room clock as the rest of the process sees it; `course` is all that another process needs."""

    course: Course
    host: PeerId | None = None
    delay_ms: float | None = None
    samples: int = 0
    steps: int = 0


class Sync:
    """The `sync` channel's clock messages. `send` gives False where a peer cannot be reached just now."""

    def __init__(
        self,
        self_id: PeerId,
        host: Callable[[], PeerId | None],
        send: Callable[[PeerId, str], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self._self_id = self_id
        self._host = host
        self._send = send
        self._monotonic = monotonic
        self._clock = RoomClock(self._now)
        self._followed: PeerId | None = None
        self._followed_since = self._now
        self._unanswered: OrderedDict[int, LocalSeconds] = OrderedDict()
        self._next_id = 1
        self._buckets: OrderedDict[PeerId, TokenBucket] = OrderedDict()
        self.report = Latest(ClockReport(self._clock.course))
        self.beat = Latest(Beat(self._clock.room_s(self._now)))
        """The room's: the host's as soon as it says, and that of what we hear of the state until then."""

    @property
    def room_s(self) -> RoomSeconds:
        """Room time now."""
        return self._clock.room_s(self._now)

    @property
    def _now(self) -> LocalSeconds:
        return LocalSeconds(self._monotonic())

    def receive(self, peer: PeerId, text: str, received_at: LocalSeconds) -> None:
        """Take one text of the channel; nothing is raised."""
        try:
            match messages.decode(text):
                case Ping() as ping:
                    self._answer(peer, ping, received_at)
                case Pong() as pong:
                    self._observe(peer, pong, received_at)
        except WireError:
            self.dropped["malformed"] += 1

    def keep_beat(self, tempo: float, *, is_playing: bool) -> None:
        """The room's state says so from now on."""
        self.beat.set(self.beat.value.changed(tempo, is_playing=is_playing, now=self.room_s))

    def ping(self) -> float:
        """Ask the host once, if it is another; returns the seconds until the next time."""
        now = self._now
        host = self._host()
        if host != self._followed:
            self._follow(host, now)
        if host is not None and host != self._self_id:
            self._ask(host, now)
        return EAGER_PERIOD_S if now - self._followed_since < EAGER_S else PERIOD_S

    def _follow(self, host: PeerId | None, now: LocalSeconds) -> None:
        self._followed = host
        self._followed_since = now
        self._unanswered.clear()
        if host == self._self_id:
            self._clock.lead(now)
        else:
            self._clock.forget()
        self._tell()

    def _ask(self, host: PeerId, now: LocalSeconds) -> None:
        number = self._next_id
        self._next_id += 1
        sent_at = self._now
        if self._send(host, messages.encode(Ping(number, _ms(sent_at)))):
            self._unanswered[number] = sent_at
        while self._unanswered and (
            len(self._unanswered) > MAX_UNANSWERED or now - next(iter(self._unanswered.values())) > ANSWERED_WITHIN_S
        ):
            self._unanswered.popitem(last=False)

    def _answer(self, peer: PeerId, ping: Ping, received_at: LocalSeconds) -> None:
        if not self._bucket(peer).take(received_at):
            self.dropped["too many"] += 1
            return
        now = self._now
        ahead_s = self._clock.room_s(now) - now
        t2, t3, ahead = _ms(received_at), _ms(now), _ms(ahead_s)
        pong = Pong(ping.id, ping.t1_ms, t2, t3, ahead, self.beat.value)
        self._send(peer, messages.encode(pong))

    def _observe(self, peer: PeerId, pong: Pong, received_at: LocalSeconds) -> None:
        """Ours is the moment of sending that counts, whatever the pong says of it."""
        sent_at = self._unanswered.get(pong.id) if isinstance(pong.id, int) else None
        if peer != self._followed or sent_at is None:
            self.dropped["unasked"] += 1
            return
        del self._unanswered[int(pong.id)]
        t2, t3 = (RemoteSeconds(moment / 1000) for moment in (pong.t2_ms, pong.t3_ms))
        exchange = Exchange(sent_at, t2, t3, received_at)
        if not 0.0 <= t3 - t2 <= ANSWERED_WITHIN_S or not 0.0 <= exchange.delay_s <= ANSWERED_WITHIN_S:
            self.dropped["absurd"] += 1
            return
        self._clock.observe(exchange, pong.room_ms / 1000)
        self._take_beat(pong.beat)
        self._tell()

    def _take_beat(self, beat: Beat | None) -> None:
        """The host's, unless one of us has not heard of a change of the state that the other has."""
        own = self.beat.value
        if beat is not None and (beat.tempo, beat.is_playing) == (own.tempo, own.is_playing):
            self.beat.set(beat)

    def _bucket(self, peer: PeerId) -> TokenBucket:
        bucket = self._buckets.pop(peer, None) or TokenBucket(ANSWERS, ANSWERS_BURST)
        self._buckets[peer] = bucket
        if len(self._buckets) > MAX_PEERS:
            self._buckets.popitem(last=False)
        return bucket

    def _tell(self) -> None:
        clock = self._clock
        delay_ms = None if clock.delay_s is None else _ms(clock.delay_s)
        self.report.set(ClockReport(clock.course, self._followed, delay_ms, clock.samples, clock.steps))


class SyncService:
    """Use `open_sync`."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync

    async def run(self) -> None:
        while True:
            wait_s = self._sync.ping()
            await asyncio.sleep(wait_s)


@asynccontextmanager
async def open_sync(sync: Sync) -> AsyncIterator[SyncService]:
    """Yield what pings the host while it runs."""
    yield SyncService(sync)


def _ms(seconds: float) -> float:
    return seconds * 1000
