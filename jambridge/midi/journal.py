"""What repairs a lost packet: each one tells again of what came before it, and of what is held now. Pure.

In the spirit of RFC 6295 (recovery journals): nothing is ever asked for, and nothing waits. A note whose beginning was
lost for good stays silent; one whose end was lost ends with the next packet that does not hold it.
"""

from collections import deque

from jambridge.midi.held import BURST, RATE, Held, Thinning
from jambridge.midi.wire import MOST_EVENTS, MOST_HELD, Event, Packet, encode
from jambridge.units import LocalSeconds, RoomSeconds

KEPT_S = 0.3
AGAIN_S = (0.02, 0.1)  # of quiet
ALIVE_S = 0.25  # while anything is held
MOST_NEW = MOST_EVENTS // 2  # told at once: the other half of a packet is for those before
_MOST_HELD_BESIDE = 32  # notes: a packet with events stays within one datagram


class Journal:
    """Our own messages on their way to all peers, numbered once for all of them."""

    def __init__(self) -> None:
        self.sequence = 0
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._told_until = 0

    def add(self, message: bytes, at: RoomSeconds) -> None:
        self.sequence += 1
        self._events.append(Event(self.sequence, at, message))

    @property
    def waiting(self) -> int:
        """Events that no packet has told of yet."""
        return self.sequence - self._told_until

    def text(self, held: Held, now: RoomSeconds) -> str:
        """The next to be sent: what is new, what was shortly before, and `held`; without news, the journal alone."""
        is_news = self.waiting > 0
        self._told_until = self.sequence
        events = [event for event in self._events if now - event.at <= KEPT_S]
        most = _MOST_HELD_BESIDE if is_news else MOST_HELD
        notes, pedals = (dict(keys) if len(keys) <= most else None for keys in (held.notes, held.pedals))
        return encode(Packet(self.sequence, events, notes, pedals, ALIVE_S), now, is_alone=not is_news)


class Reception:
    """One peer's messages as they come, twice or never: each once, in its order."""

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        self.lost = 0
        """Messages that no packet told of in time."""
        self.repaired = 0
        """Those that a journal told of, and what was ended because it was held no more."""
        self.alive_s: float | None = None
        self._thinning = Thinning(rate, burst)
        self._sequence: int | None = None

    @property
    def held(self) -> Held:
        return self._thinning.held

    @property
    def dropped(self) -> int:
        """Beyond the rate."""
        return self._thinning.dropped

    def take(self, packet: Packet, now: LocalSeconds) -> list[Event]:
        """What is to be played, of a packet that came `now`."""
        self.alive_s = packet.alive_s or self.alive_s
        if self._sequence is not None and packet.sequence < self._sequence:
            return []
        known = packet.events[0].sequence - 1 if packet.events else packet.sequence
        known = known if self._sequence is None else self._sequence
        new = [event for event in packet.events if event.sequence > known]
        self.lost += packet.sequence - known - len(new)
        self.repaired += sum(event.sequence < packet.sequence for event in new)
        self._sequence = packet.sequence
        return [event for event in new if self._thinning.admits(event.message, now)] + self._mended(packet, now)

    def forget(self) -> list[bytes]:
        """What ends all that is held, for a peer that is not heard any more."""
        ends = self.held.release()
        for end in ends:
            self.held.take(end)
        return ends

    def _mended(self, packet: Packet, now: LocalSeconds) -> list[Event]:
        if packet.held is None:
            return []
        ends = self.held.beyond(packet.held.keys(), packet.pedals.keys() if packet.pedals is not None else None)
        for end in ends:
            self._thinning.admits(end, now)
        self.repaired += len(ends)
        at = packet.events[-1].at if packet.events else RoomSeconds(0.0)
        return [Event(packet.sequence, at, end) for end in ends]
