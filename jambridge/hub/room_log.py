"""Which rooms of the hub are created and emptied, a log line each, and no more of these than a log can bear."""

import logging
import time
from collections.abc import Callable

from jambridge.hub import phoenix
from jambridge.room.flood import TokenBucket

log = logging.getLogger(__name__)

_RATE, _BURST = 1.0, 128.0
"""Lines a second: fifty rooms that move to another hub are all told, there and here."""
_MOST = 64
_ROOM = "room:"


class RoomLog:
    """Told by `Rooms`."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._lines = TokenBucket(_RATE, _BURST)
        self._monotonic = monotonic

    def tell(self, topic: str, exists: bool) -> None:
        if self._lines.take(self._monotonic()):
            log.info("room %s room=%s peers=%d", "created" if exists else "emptied", _name(topic), int(exists))


def _name(topic: str) -> str:
    """A room's code; of another topic, which anybody may make up, so much as is safe in a log."""
    name = topic.removeprefix(phoenix.TOPIC_PREFIX).removeprefix(_ROOM)[:_MOST]
    return name if name.isprintable() else ascii(name)
