"""The room clock: what all members call now. Pure: time is a parameter.

The host's monotonic clock, followed from exchanges with it: of the last 64 the quickest way there and the quickest
back, of one exchange or two, are what an estimate learns from, and a course leads there without anybody noticing. In
the first second the clock may jump forward or stand still; from then on it is at most 1 ms/s faster or slower than
ours. It runs on where there is no host, and through a change of host, since a new one answers from the clock that it
has followed until then.
"""

import statistics
from collections import deque
from dataclasses import dataclass
from itertools import compress

from jambridge.sync.estimate import Estimate
from jambridge.sync.offset import Exchange
from jambridge.units import LocalSeconds, RoomSeconds

SAMPLES = 64  # sixteen seconds: where both ways are uneven they are seldom quick in one exchange
ACQUIRING_S = 1.0
MAX_SLEW = 1e-3  # seconds a second
FOLLOW_S = 1.0  # in which a course makes up for the difference to the estimate
SURE_S = 5e-5  # how far a sample of the shortest delay is off
PRIOR_S = 1e-3  # how far a new host's room clock may be from ours, which followed the same
UNEXPLAINED_S = 0.1  # beyond what the delay of an exchange can explain
UNEXPLAINED = 8  # such exchanges in a row: the host's clock is another one (it slept, or two rooms became one)
FORGOTTEN_S = 60.0  # how long the shortest delay is remembered: a way may become longer
_DRIFT = 1e-4  # how much worse a sample becomes with age, beside what is not known of the rate, seconds a second


@dataclass(frozen=True, slots=True)
class Course:
    """Room time over local time from `at` on: picklable, and all that another process needs.

    `slew` is what is made up for besides `rate`, for `slew_s` seconds at most: a course that nobody renews is kept.
    """

    at: LocalSeconds
    room: RoomSeconds
    rate: float = 0.0
    slew: float = 0.0
    slew_s: float = 0.0

    def room_s(self, local: LocalSeconds) -> RoomSeconds:
        elapsed = local - self.at
        made_up = self.slew * min(max(elapsed, 0.0), self.slew_s)
        return RoomSeconds(self.room + (elapsed * (1.0 + self.rate) + made_up))

    def local_s(self, room: RoomSeconds) -> LocalSeconds:
        """When it will be, or was, that room time."""
        ahead = room - self.room
        turned = self.slew_s * (1.0 + self.rate + self.slew)
        if 0.0 < ahead < turned:
            return LocalSeconds(self.at + ahead / (1.0 + self.rate + self.slew))
        made_up = self.slew * self.slew_s if ahead > 0.0 else 0.0
        return LocalSeconds(self.at + (ahead - made_up) / (1.0 + self.rate))


@dataclass(frozen=True, slots=True)
class _Sample:
    """What one exchange says of the offset, room time minus local time: it is between `back_s` and `forth_s`.

    Each is off by how long the message was on its way.
    """

    at: LocalSeconds
    forth_s: float
    back_s: float

    @property
    def offset_s(self) -> float:
        return (self.forth_s + self.back_s) / 2

    @property
    def delay_s(self) -> float:
        return max(0.0, self.forth_s - self.back_s)

    def grown(self, now: LocalSeconds, rate: float, doubt: float) -> "_Sample":
        """What it says of `now`, where the offset grows by `rate` a second, give or take `doubt`."""
        age_s = now - self.at
        return _Sample(self.at, self.forth_s + (rate + doubt) * age_s, self.back_s + (rate - doubt) * age_s)


class RoomClock:
    """Our own clock until a host is followed."""

    def __init__(self, now: LocalSeconds) -> None:
        self.course = Course(now, RoomSeconds(now))
        self.steps = 0
        """How often the clock was set instead of slewed: once for a newcomer."""
        self.samples = 0
        self.delay_s: float | None = None
        """Of the ways that are believed, there and back."""
        self._window: deque[_Sample] = deque(maxlen=SAMPLES)
        self._acquired_at: LocalSeconds | None = None
        self._estimate: Estimate | None = None
        self._learnt_at: LocalSeconds | None = None
        self._shortest_s: float | None = None
        self._unexplained = 0

    def room_s(self, local: LocalSeconds) -> RoomSeconds:
        return self.course.room_s(local)

    def lead(self, now: LocalSeconds) -> None:
        """We are the host: go on from here at our own pace."""
        self.forget()
        self.course = Course(now, self.room_s(now))
        if self._acquired_at is None:
            self._acquired_at = now

    def forget(self) -> None:
        """Another host is followed from now on: what was learnt is of the former."""
        self._window.clear()
        self._estimate = self._learnt_at = None
        self._unexplained = 0
        self._shortest_s = self.delay_s = None

    def observe(self, exchange: Exchange, room_offset_s: float) -> None:
        """Take one exchange with the host, whose room time is its own clock plus `room_offset_s`."""
        now = exchange.t4
        forth_s, back_s = exchange.t2 - exchange.t1, exchange.t3 - exchange.t4
        sample = _Sample(now, room_offset_s + forth_s, room_offset_s + back_s)
        self.samples += 1
        if self._acquired_at is None or self._is_another_clock(sample):
            self._begin(sample)
            return
        if self._unexplained:
            return
        if self._estimate is None:
            self._estimate = Estimate(now, self.room_s(now) - now, PRIOR_S, self.course.rate)
        best = self._best(sample, self._estimate)
        self.delay_s = best.delay_s
        self._learn(best, self._estimate, now)
        if now - self._acquired_at < ACQUIRING_S:
            self._acquire(self._error_s(best.offset_s, now), now)
        else:
            self._slew(self._error_s(self._estimate.at_time(now), now), self._estimate.rate, now)

    def _best(self, newest: _Sample, estimate: Estimate) -> _Sample:
        """As of `newest`, which is taken in: the quickest of all ways there with the quickest of all ways back.

        What `newest` contradicts is forgotten: the clock has changed since.
        """
        now, doubt = newest.at, _DRIFT + estimate.rate_sigma
        bounds = [one.grown(now, estimate.rate, doubt) for one in self._window]
        possible = [one.back_s <= newest.forth_s and one.forth_s >= newest.back_s for one in bounds]
        self._window = deque([*compress(self._window, possible), newest], SAMPLES)
        bounds = [*compress(bounds, possible), newest]
        there, back = min(bounds, key=lambda one: one.forth_s), max(bounds, key=lambda one: one.back_s)
        forth_s = there.forth_s - doubt * (now - there.at)
        back_s = back.back_s + doubt * (now - back.at)
        return _Sample(max(there.at, back.at), forth_s, back_s)

    def _learn(self, best: _Sample, estimate: Estimate, now: LocalSeconds) -> None:
        """Take in the best as of now, once for each way that was quicker."""
        delays_s = [one.delay_s for one in self._window]
        uneven_s = statistics.median(delays_s) - best.delay_s
        unknown_s = (best.delay_s / 2 + uneven_s) / len(delays_s)  # of few, even the quickest may have come late
        sigma_s = SURE_S + self._excess_s(best, now) + unknown_s
        if self._learnt_at is None or best.at > self._learnt_at:
            self._learnt_at = best.at
            estimate.update(now, best.offset_s, sigma_s)

    def _error_s(self, offset_s: float, now: LocalSeconds) -> float:
        """How far we are behind a clock that is so far ahead of ours now."""
        return offset_s - (self.room_s(now) - now)

    def _excess_s(self, best: _Sample, now: LocalSeconds) -> float:
        """How far a sample may be off that came later than the quickest, as through a queue that fills one way."""
        before = self._window[-2].at if len(self._window) > 1 else now
        shortest_s = best.delay_s if self._shortest_s is None else self._shortest_s
        shortest_s += (best.delay_s - shortest_s) * min((now - before) / FORGOTTEN_S, 1.0)
        self._shortest_s = min(shortest_s, best.delay_s)
        return (best.delay_s - self._shortest_s) / 2

    def _is_another_clock(self, sample: _Sample) -> bool:
        unexplained = abs(self._error_s(sample.offset_s, sample.at)) > sample.delay_s / 2 + UNEXPLAINED_S
        self._unexplained = self._unexplained + 1 if unexplained else 0
        return self._unexplained >= UNEXPLAINED

    def _begin(self, sample: _Sample) -> None:
        self.forget()
        self._window.append(sample)
        self.delay_s = self._shortest_s = sample.delay_s
        self._acquired_at = self._learnt_at = sample.at
        self._estimate = Estimate(sample.at, sample.offset_s, SURE_S + sample.delay_s / 2)
        self.course = Course(sample.at, RoomSeconds(sample.at + sample.offset_s))
        self.steps += 1

    def _acquire(self, error_s: float, now: LocalSeconds) -> None:
        room = self.room_s(now)
        if error_s > 0:
            self.course = Course(now, RoomSeconds(room + error_s), self.course.rate)
        else:
            self.course = Course(now, room, slew=-1.0, slew_s=-error_s)

    def _slew(self, error_s: float, rate: float, now: LocalSeconds) -> None:
        slew = min(max(error_s / FOLLOW_S, -MAX_SLEW - rate), MAX_SLEW - rate)
        self.course = Course(now, self.room_s(now), rate, slew, abs(error_s / slew) if slew else 0.0)
