"""What is played here, on its way to every peer. Pure: time is a parameter.

All inputs are one stream: merged, thinned, numbered once for all peers. Each of the first messages after a pause goes
out in a packet of its own, then one at most every two milliseconds; after it the journal alone, twice in quiet and on
and on while anything is held.
"""

from collections.abc import Callable, Iterator

from jambridge.midi.held import Held, Thinning
from jambridge.midi.journal import AGAIN_S, ALIVE_S, MOST_NEW, Journal
from jambridge.midi.keys import Keys
from jambridge.midi.merge import Merge
from jambridge.units import LocalSeconds, RoomSeconds

APART_S = 0.002
AT_ONCE = 4
"""Packets after a pause: the beginning of a note does not wait because of the end of the one before it."""


class Sending:
    """`room_s` gives the room time of a local one. `due` is when `text` is to be called for; None: not before more."""

    def __init__(self, room_s: Callable[[LocalSeconds], RoomSeconds]) -> None:
        self.due: LocalSeconds | None = None
        self.count = 0
        self.keys = Keys()
        """Of all inputs."""
        self._room_s = room_s
        self._merge = Merge()
        self._thinning = Thinning()
        self._journal = Journal()
        self._again: Iterator[float] = iter(())
        self._news_at = LocalSeconds(float("-inf"))
        self._spent_until = float("-inf")  # each packet spends APART_S, of AT_ONCE times as much

    @property
    def dropped(self) -> int:
        """Beyond the rate, and ends of notes that had not begun."""
        return self._thinning.dropped + self._merge.unheld

    @property
    def held(self) -> Held:
        return self._thinning.held

    def play(self, source: int, message: bytes, at: LocalSeconds) -> None:
        """A channel message came into an input at that time."""
        self._add(self._merge.play(source, message), at)

    def hush(self, source: int, now: LocalSeconds) -> None:
        """An input has gone."""
        self._add(self._merge.hush(source), now)

    def hush_all(self, now: LocalSeconds) -> None:
        self._add(self._merge.hush_all(), now)

    def text(self, now: LocalSeconds) -> str:
        """What every peer is to be sent now."""
        if self._journal.waiting:
            self._news_at, self._again = now, iter(AGAIN_S)
        self._spent_until = min(max(now, self._spent_until) + APART_S, now + AT_ONCE * APART_S)
        text = self._journal.text(self.held, self._room_s(now))
        self.due = self._next(now)
        return text

    def _add(self, messages: list[bytes], at: LocalSeconds) -> None:
        for message in messages:
            if self._thinning.admits(message, at):
                self._journal.add(message, self._room_s(at))
                self.keys.take(message, at)
                self.count += 1
        if self._journal.waiting >= MOST_NEW:
            self.due = at
        elif self._journal.waiting:
            self.due = LocalSeconds(max(at, self._spent_until - (AT_ONCE - 1) * APART_S))

    def _next(self, now: LocalSeconds) -> LocalSeconds | None:
        again_s = next(self._again, None)
        if again_s is not None:
            return LocalSeconds(self._news_at + again_s)
        return LocalSeconds(now + ALIVE_S) if self.held else None
