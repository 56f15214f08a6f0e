"""Packets of one RTP stream, put in order while they wait to be played. Pure, and bounded whatever comes.

Source: RFC 3550 section 5.1 (sequence number, timestamp) and appendix A.1 (a packet that does not fit begins a new
stream once a second one follows it); RFC 7587 section 4.1: the clock of Opus is 48 kHz whatever it encodes.
"""

import enum
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds

MAX_PACKETS = 512
MAX_BYTES = 8192  # of a packet: 120 ms of Opus at its highest rate
MAX_JUMP = 1000  # packets
MAX_AHEAD_FRAMES = SAMPLE_RATE_HZ  # what is further ahead is another stream, or a card that stood still
MAX_BEHIND_FRAMES = 5 * SAMPLE_RATE_HZ
_FURTHEST_LATE = 64
_MOST_MISSING = 1024


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet of Opus: `sequence` of 16 bits, `timestamp` of 32, as they came."""

    sequence: int
    timestamp: int
    arrived_at: LocalSeconds
    payload: bytes
    stream: int = 0
    """Whose it is (SSRC, connection): where it changes, another stream begins."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A packet with numbers that do not wrap."""

    sequence: int
    timestamp: int
    arrived_at: LocalSeconds
    payload: bytes


class Fate(enum.Enum):
    QUEUED = enum.auto()
    LATE = enum.auto()
    REPEATED = enum.auto()
    STRANGE = enum.auto()


class Arrivals:
    """What waits, the earliest first. `position` is what plays next, as a timestamp that does not wrap."""

    def __init__(self) -> None:
        self.lost = 0
        """Packets that have not come so far; one that comes after all is taken off again."""
        self.late = 0
        self.next = 0
        """The sequence number that follows what was played, or passed over."""
        self.position: int | None = None
        """None until `begin`."""
        self._queue: list[Waiting] = []
        self._missing: OrderedDict[int, None] = OrderedDict()
        self._stranger: Packet | None = None

    @property
    def first(self) -> Waiting | None:
        return self._queue[0] if self._queue else None

    def __len__(self) -> int:
        return len(self._queue)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._queue)

    def put(self, packet: Packet) -> tuple[Fate, Waiting]:
        """Where a packet belongs. One that is STRANGE was not taken; `begins_anew` tells what to think of it."""
        waiting = self._unwrapped(packet)
        if not self._fits(waiting):
            return Fate.STRANGE, waiting
        if self.position is not None and (waiting.sequence < self.next or waiting.timestamp < self.position):
            return self._too_late(waiting), waiting
        index = bisect_left(self._queue, waiting.sequence, key=_sequence)
        if index < len(self._queue) and self._queue[index].sequence == waiting.sequence:
            return Fate.REPEATED, waiting
        self._queue.insert(index, waiting)
        return Fate.QUEUED, waiting

    def begins_anew(self, packet: Packet) -> bool:
        """Whether a strange packet follows another strange one: then both are a new stream, else it is a stray."""
        before, self._stranger = self._stranger, packet
        return before is not None and (packet.sequence - before.sequence) & 0xFFFF == 1

    def begin(self) -> None:
        """The first of those that wait is what plays next."""
        self.next, self.position = self._queue[0].sequence, self._queue[0].timestamp

    def pop(self) -> tuple[Waiting, int]:
        """The first, and how many packets are missing before it."""
        packet = self._queue.pop(0)
        return packet, self._pass(packet.sequence)

    def drop_before(self, timestamp: float) -> None:
        """Leave out, as though they had not been sent, all that are over by then; one stays."""
        while len(self._queue) > 1 and self._queue[1].timestamp <= timestamp:
            self._queue.pop(0)

    def clear(self) -> None:
        """Wait for another stream. What is missing of this one stays lost."""
        self._queue.clear()
        self._missing.clear()
        self._stranger = None
        self.position = None

    @property
    def _near(self) -> tuple[int, int] | None:
        """Sequence number and timestamp from which new ones should not be far; None while nothing is known."""
        if self.position is not None:
            return self.next, self.position
        return (self._queue[-1].sequence, self._queue[-1].timestamp) if self._queue else None

    def _unwrapped(self, packet: Packet) -> Waiting:
        sequence, timestamp = self._near or (packet.sequence, packet.timestamp)
        return Waiting(
            sequence + _signed(packet.sequence - sequence, 16),
            timestamp + _signed(packet.timestamp - timestamp, 32),
            packet.arrived_at,
            packet.payload,
        )

    def _fits(self, packet: Waiting) -> bool:
        if len(self._queue) >= MAX_PACKETS or len(packet.payload) > MAX_BYTES:
            return False
        sequence, timestamp = self._near or (packet.sequence, packet.timestamp)
        ahead = packet.timestamp - timestamp
        return abs(packet.sequence - sequence) < MAX_JUMP and -MAX_BEHIND_FRAMES <= ahead <= MAX_AHEAD_FRAMES

    def _too_late(self, packet: Waiting) -> Fate:
        if packet.sequence >= self.next + _FURTHEST_LATE:
            pass  # late and far ahead at once: whoever sends that has no stream
        elif packet.sequence >= self.next:
            self._pass(packet.sequence)
        elif packet.sequence in self._missing:
            del self._missing[packet.sequence]
            self.lost -= 1
        else:
            return Fate.REPEATED
        self.late += 1
        return Fate.LATE

    def _pass(self, sequence: int) -> int:
        """All before `sequence` that have not come are missing; how many."""
        missing = range(self.next, sequence)
        self._missing.update(dict.fromkeys(missing[-_MOST_MISSING:]))
        while len(self._missing) > _MOST_MISSING:
            self._missing.popitem(last=False)
        self.lost += len(missing)
        self.next = sequence + 1
        return len(missing)


def _sequence(packet: Waiting) -> int:
    return packet.sequence


def _signed(difference: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return ((difference + half) & (2 * half - 1)) - half
