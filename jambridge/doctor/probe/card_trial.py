"""A card opened for a moment as the daemon would, in a process of its own: prints what came of it as JSON.

python -m jambridge.doctor.probe.card_trial input|output BLOCK_FRAMES [NAME]
"""

import json
import os
import sys
import time
from contextlib import suppress
from typing import Any

from jambridge import realtime
from jambridge.audio.card import cards
from jambridge.audio.card.cards import Direction
from jambridge.errors import DeviceError

LISTEN_S = 0.5
FIRST_WITHIN_S = 3.0  # USB cards take their time
_LOOK_S = 0.02
_PRIORITY = 20  # as the daemon's own processes of the cards
_SETTLE_BLOCKS = 20  # the first come as they like


class _Trial:
    """Silence out, nothing kept of what comes in."""

    def __init__(self, direction: Direction, block_frames: int, wanted: str | None) -> None:
        self._direction = direction
        self._block_frames = block_frames
        self._wanted = wanted
        self._rate_hz = 0.0
        self._blocks = self._missed = 0

    def run(self) -> dict[str, object]:
        """Raises DeviceError if it cannot be opened."""
        with suppress(DeviceError):  # the look says so
            cards.call_yourself(f"{cards.OUR_JACK_NAMES}doctor")
        cards.look()
        card = cards.find(self._wanted, self._direction)
        if card is None:
            return {}
        stream = cards.open_stream(card, self._direction, self._block_frames, self._begin, self._callback)
        give_up_s = time.monotonic() + FIRST_WITHIN_S
        while not self._blocks and time.monotonic() < give_up_s:
            time.sleep(_LOOK_S)
        time.sleep(LISTEN_S)
        return {
            "card": card.name,
            "rate_hz": self._rate_hz,
            "latency_ms": 1000 * cards.latency_s(stream),
            "blocks": self._blocks,
            "missed": self._missed,
        }

    def _begin(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz

    def _callback(self, buffer: Any, _frames: int, _time: Any, flags: Any) -> None:
        self._blocks += 1
        self._missed += self._blocks > _SETTLE_BLOCKS and bool(flags)
        if self._direction is Direction.OUTPUT:
            buffer[:] = bytes(len(buffer))


def main(direction: str, block_frames: str, wanted: str = "") -> None:
    realtime.be_punctual(_PRIORITY)
    realtime.silence_libraries()
    try:
        answer = _Trial(Direction(direction), int(block_frames), wanted or None).run()
    except DeviceError as exc:
        answer = {"problem": str(exc)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)  # to let go of a card that has died can hang


if __name__ == "__main__":
    main(*sys.argv[1:])
