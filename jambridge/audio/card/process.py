"""The loop of a process that lives with one sound card, in one direction.

The card's callback does the work, on PortAudio's thread; this loop looks for the card, obeys, reports, and notices when
the callbacks stop, which is all that a frozen or vanished card does. Then the process ends, and its supervisor starts
another: letting go of a dead card can take minutes, ending does not.
"""

import os
import select
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import Any, Protocol

from jambridge import realtime
from jambridge.audio.card import cards, control, kernel
from jambridge.audio.card.cards import Card, Direction, Stream
from jambridge.audio.card.control import CardReport, Message, Quit
from jambridge.errors import DeviceError, ExitStatus, WireError
from jambridge.typed_json import MAX_BYTES

BEAT_S = 0.1
REPORT_S = 0.25
STOPPED_S = 1.0  # without a callback
LOOK_S = 3.0  # for a card that was asked for by name
LOOK_FOR_ANY_S = 10.0
MOST_LOOKS = 1000  # PortAudio forgets 12 KB each time: after an hour of waiting another process goes on
_TOO_SOON_S = 0.8 * BEAT_S  # after a beat: messages wake the loop as well
_CLOSE_S = 0.3
_SWITCH_S = 0.0002  # for so long at most this loop keeps a callback waiting
_MOST_FAILURES = 100  # of callbacks: then something is wrong for good
_CALLBACK_PRIORITY = 20  # PortAudio's thread inherits it; JACK gives its own, 5 where nobody has configured it
_PRIORITY = 4  # of this loop: below any callback, and above MIDI and the light


class Duty(Protocol):
    """What is done with the card's sound."""

    direction: Direction
    jack_frames: int
    """Of a callback where JACK is the card; 0: as it comes."""
    missed: int
    """Callbacks before which sound was lost."""

    def begin(self, card: Card, rate_hz: float) -> None:
        """The next callbacks are this card's."""

    def callback(self, block: memoryview) -> None:
        """Take from `block`, or fill it: bytes of float32, channel beside channel, the driver's own."""

    def follow(self, message: Message) -> None: ...

    def beat(self) -> Message | None:
        """Ten times a second, on the loop's thread: what is to be told at once, if anything."""

    def report(self, card: CardReport) -> Message: ...


class CardProcess:
    """`wanted` is part of the card's name, None for the system's default; `run` ends with the process."""

    def __init__(self, duty: Duty, wanted: str | None, block_frames: int, parent: socket.socket) -> None:
        self._duty = duty
        self._wanted = self._chosen = wanted
        self._block_frames = block_frames
        self._parent = parent
        self._stop_fd = realtime.stop_on_signals()
        self._running = True
        self._card: Card | None = None
        self._stream: Stream | None = None
        self._problem: str | None = None
        self._blocks = 0
        self._failed = self._failed_before = self._failed_seen = 0
        self._failed_at = 0.0
        self._failure: Exception | None = None
        self._counted = (0, 0.0)
        self._look_at = 0.0
        self._looks = 0
        self._told: tuple[bool, str | None] | None = None
        self._told_at = self._beat_at = 0.0
        self._fingerprint = kernel.fingerprint()

    def run(self) -> None:
        try:
            self._live()
        except Exception as exc:  # noqa: BLE001  the interpreter's own way out lets go of the card
            _print(exc)
            self._end(ExitStatus.SOFTWARE)

    def _live(self) -> None:
        sys.setswitchinterval(_SWITCH_S)
        realtime.silence_libraries()
        while self._running:
            self._look()
            self._wait()
            self._watch()
            self._beat()
        self._end(ExitStatus.OK)

    def _look(self) -> None:
        """Open the card, if it is not and may be there now."""
        if self._stream is not None:
            return
        now, present = time.monotonic(), kernel.fingerprint()
        if now < self._look_at and present == self._fingerprint:
            return
        self._fingerprint = present
        self._looks += 1
        try:
            cards.look()
            card = cards.find(self._wanted, self._duty.direction)
            self._problem = None
            if card is not None:
                self._open(card)
        except DeviceError as exc:
            self._problem = str(exc)
        self._running = self._stream is not None or self._looks < MOST_LOOKS
        self._look_at = time.monotonic() + (LOOK_FOR_ANY_S if self._wanted is None else LOOK_S)

    def _open(self, card: Card) -> None:
        self._card = card
        self._chosen = card.name.partition(" (hw:")[0]  # the number is another after it was plugged in again
        self._counted = (self._blocks, time.monotonic())
        duty = self._duty
        realtime.be_punctual(_CALLBACK_PRIORITY)
        try:
            self._stream = cards.open_stream(
                card, duty.direction, self._block_frames, self._begin, self._on_block, duty.jack_frames
            )
        finally:
            realtime.be_punctual(_PRIORITY)

    def _begin(self, rate_hz: float) -> None:
        assert self._card is not None  # noqa: S101  set by `_open`
        self._duty.begin(self._card, rate_hz)
        realtime.stop_collecting()

    def _on_block(self, block: Any, _frames: int, _moment: Any, flags: Any) -> None:
        """PortAudio's callback, which ends the stream if it raises: the broad `except` that must be."""
        self._blocks += 1
        self._duty.missed += bool(flags)
        try:
            self._duty.callback(memoryview(block))
        except Exception as exc:  # noqa: BLE001  raising here would end the stream
            self._failed += 1
            self._failure = self._failure or exc
            block[:] = bytes(len(block))

    def _wait(self) -> None:
        readable, _, _ = select.select([self._stop_fd, self._parent.fileno()], [], [], BEAT_S)
        if self._stop_fd in readable:
            self._running = False
        if self._parent.fileno() in readable:
            self._obey()

    def _obey(self) -> None:
        try:
            packet = self._parent.recv(MAX_BYTES)
        except OSError:
            packet = b""
        if not packet:
            self._running = False
            return
        with suppress(WireError):  # only our own main process writes there: a newer one, after an update
            message = control.decode(packet)
            if isinstance(message, Quit):
                self._running = False
            else:
                self._duty.follow(message)

    def _watch(self) -> None:
        if self._failure is not None and self._failed - self._failed_before > _MOST_FAILURES:
            _print(self._failure)
            self._problem = f"the sound cannot be worked on: {self._failure!r}"
            self._tell()
            self._end(ExitStatus.SOFTWARE)
        now = time.monotonic()
        if self._failed != self._failed_seen:
            self._failed_seen, self._failed_at = self._failed, now
        elif now - self._failed_at > STOPPED_S:
            self._failed_before = self._failed  # it was one of those that pass
        if self._stream is None or self._card is None:
            return
        blocks, since = self._counted
        if self._blocks != blocks:
            self._counted = (self._blocks, now)
        elif now - since > STOPPED_S:
            self._problem = f"the sound card {self._card.name} has stopped or was unplugged"
            self._card = None
            self._tell()
            self._end(ExitStatus.IO)

    def _beat(self) -> None:
        """Report what is new at once, else from time to time: reading reports is work for the main process."""
        if time.monotonic() - self._beat_at >= _TOO_SOON_S:
            self._beat_at = time.monotonic()
            news = self._duty.beat()
            if news is not None:
                self._send(news)
        edges = (self._stream is not None, self._problem)
        if edges != self._told or time.monotonic() - self._told_at >= REPORT_S:
            self._told, self._told_at = edges, time.monotonic()
            self._tell()

    def _tell(self) -> None:
        stream, card = self._stream, self._card
        report = CardReport(
            card=card.name if card and stream else None,
            problem=self._problem,
            rate_hz=stream.samplerate if stream else 0.0,
            blocks=self._blocks,
            missed=self._duty.missed,
            failed=self._failed,
            latency_ms=round(1000 * cards.latency_s(stream), 2) if stream else 0.0,
            cpu_s=round(time.process_time(), 3),
            chosen=self._chosen,
        )
        self._send(self._duty.report(report))

    def _send(self, message: Message) -> None:
        with suppress(OSError):  # a main process that does not read now is told later; one that is gone, _obey sees
            self._parent.send(control.encode(message), socket.MSG_DONTWAIT)

    def _end(self, status: ExitStatus) -> None:
        """Without waiting for a card that does not let go."""
        stream: Any = self._stream
        if stream is not None and status is ExitStatus.OK:
            closing = threading.Thread(target=stream.abort, kwargs={"ignore_errors": True}, daemon=True)
            closing.start()
            closing.join(_CLOSE_S)
        os._exit(status)


def _print(failure: Exception) -> None:
    traceback.print_exception(failure)
    sys.stderr.flush()
