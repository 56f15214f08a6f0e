"""What bridges' status said all the time, looked at from a thread of its own."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from tests.bench.outage_room import sounding
from tests.scenarios.daemon import Daemon, Status

LOOK_S = 0.25
PACKETS_A_SECOND = 100


@dataclass
class Watch:
    """What the bridges' status said, four times a second; seen from another thread."""

    daemons: Sequence[Daemon]
    seen: list[list[tuple[float, Status]]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.seen = [[] for _ in self.daemons]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            for daemon, seen in zip(self.daemons, self.seen, strict=True):
                seen.append((time.monotonic(), daemon.status()))

    @property
    def all(self) -> Iterator[Status]:
        return (status for seen in self.seen for _, status in seen)

    @property
    def longest_silence_s(self) -> float | None:
        """Of any musician, at any bridge; None where one was not connected at all."""
        silences = [peer["silent_s"] for status in self.all for peer in sounding(status)]
        return None if None in silences else max(silences, default=0.0)

    @property
    def heard(self) -> float:
        """The least share of a musician's packets that a bridge got; those of a connection anew do not count twice."""
        shares = []
        for seen in self.seen:
            (began, first), (ended, last) = seen[0], seen[-1]
            before, after = _packets(first), _packets(last)
            shares += [(after.get(peer, 0) - before[peer]) / (ended - began) / PACKETS_A_SECOND for peer in before]
        return min(shares, default=1.0)

    @property
    def connections_anew(self) -> int:
        """How often a count of packets began again, or a musician was missing."""
        anew = 0
        for seen in self.seen:
            counts = [_packets(status) for _, status in seen]
            for before, after in pairwise(counts):
                anew += sum(after.get(peer, -1) < packets for peer, packets in before.items())
        return anew

    @property
    def clocks_apart_ms(self) -> float:
        """How far the room clocks of the bridges came apart; the clocks below them are one and the same."""
        rounds = zip(*self.seen, strict=False)
        offsets = [[status["clock"]["offset_ms"] for _, status in looked] for looked in rounds]
        return max((max(each) - min(each) for each in offsets), default=0.0)

    @property
    def hosts(self) -> list[str]:
        """Who hosted, one after another, as the first bridge saw it."""
        names: dict[str | None, str] = {None: "nobody"}
        hosts: list[str] = []
        for _, status in self.seen[0]:
            names |= {one["id"]: one["name"] for one in status["room"]["participants"]}
            if (name := names[status["room"]["host_id"]]) not in hosts[-1:]:
                hosts.append(name)
        return hosts


def _packets(status: Status) -> dict[str, int]:
    return {peer["id"]: peer["packets"] for peer in sounding(status)}
