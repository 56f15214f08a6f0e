"""An instrument that sends back what it was told: that is nobody's playing. Pure: time is a parameter."""

from collections import deque

from jambridge.midi import message as midi
from jambridge.midi.held import Held
from jambridge.units import LocalSeconds

WITHIN_S = 0.05
_MOST = 64


class Echoes:
    """What was sent a moment ago, and what each input holds by its own playing."""

    def __init__(self) -> None:
        self.count = 0
        self._sent: deque[tuple[LocalSeconds, bytes]] = deque(maxlen=_MOST)
        self._held: dict[int, Held] = {}

    def sent(self, message: bytes, now: LocalSeconds) -> None:
        self._sent.append((now, message))

    def is_one(self, source: int, message: bytes, at: LocalSeconds) -> bool:
        """Whether `message` is one; never what ends a note that this input holds."""
        held = self._held.setdefault(source, Held())
        while self._sent and at - self._sent[0][0] > WITHIN_S:
            self._sent.popleft()
        found = next((one for one in self._sent if one[1] == message), None)
        if found is None or held.is_ended_by(message):
            if midi.is_channel_message(message):
                held.take(message)
            return False
        self._sent.remove(found)
        self.count += 1
        return True

    def forget(self, source: int) -> None:
        """An input has gone."""
        self._held.pop(source, None)
