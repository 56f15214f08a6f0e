"""A card's process whose first callbacks fail: python -m tests.fakes.faulty_duty FAULTS CONTROL_FD.

With FAULTS below nought its first report does, and the card is one that the interpreter's end would wait for.
Its reports tell how many beats there were, as packets, and the time of its clock, as silence.
"""

import atexit
import socket
import sys
import time

from jambridge.audio.card.cards import Card, Direction
from jambridge.audio.card.control import CaptureReport, CardReport, Message
from jambridge.audio.card.process import CardProcess


class FaultyDuty:
    direction = Direction.INPUT
    jack_frames = 0

    def __init__(self, faults: int) -> None:
        self.missed = 0
        self._faults = faults
        self._is_lost = faults < 0
        self._beats = 0

    def begin(self, card: Card, rate_hz: float) -> None: ...

    def callback(self, _block: memoryview) -> None:
        self._faults -= 1
        if self._faults >= 0:
            raise ZeroDivisionError

    def follow(self, message: Message) -> None: ...

    def beat(self) -> None:
        self._beats += 1

    def report(self, card: CardReport) -> CaptureReport:
        if self._is_lost:
            atexit.register(time.sleep, 1000)
            raise ZeroDivisionError
        return CaptureReport(card, silent_s=time.monotonic(), packets=self._beats)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[2])) as control:
        CardProcess(FaultyDuty(int(sys.argv[1])), "system", 128, control).run()
