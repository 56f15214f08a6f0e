"""The process of MIDI: its ports, what sounds at them, and the clock.

It outlives a main process that was killed by just as long as it takes to end every note that sounds. One that was
killed itself leaves a mark, and its successor silences each output as it opens it.
"""

import heapq
import os
import select
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from jambridge import realtime
from jambridge.errors import DeviceError, ExitStatus, WireError
from jambridge.midi import choice, control
from jambridge.midi import message as midi
from jambridge.midi.control import (
    Followed,
    Gone,
    Hush,
    Message,
    Panic,
    Play,
    Played,
    PortsReport,
    Quit,
    Settings,
    Tick,
)
from jambridge.midi.echo import Echoes
from jambridge.midi.follow import ClockFollower
from jambridge.midi.merge import Merge, silence
from jambridge.midi.message import ACTIVE_SENSING, CLOCK, RESET, SYSEX, Parser
from jambridge.midi.ports import Ports
from jambridge.midi.ticks import Ticks
from jambridge.typed_json import MAX_BYTES
from jambridge.units import LocalSeconds

LOOK_S = 0.1  # a port that is back sooner, under its name, is taken for the one that it was
MISSING_S = 1.5  # where there is no MIDI at all
REPORT_S = 1.0
_PRIORITY = 3  # above the light, below the sound and JACK's own threads
_SWITCH_S = 0.0002
_MOST_WAITING = 4096  # chunks from the drivers
_MOST_DUE = 1024  # messages that are early
_MOST_AT_ONCE = 256
_DRAIN_S = 0.06  # the longest period of a JACK server: what was written goes out with it


class MidiProcess:
    """`run` ends with the process."""

    def __init__(self, mark: Path, parent: socket.socket) -> None:
        self._parent = parent
        self._mark = mark
        self._was_killed = mark.exists()
        self._stop_fd = realtime.stop_on_signals()
        self._woken_fd, self._wake_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._running = True
        self._settings: Settings | None = None
        self._ports: Ports | None = None
        self._came: deque[tuple[int, bytes, LocalSeconds]] = deque()
        self._refused = 0
        self._parsers: dict[int, Parser] = {}
        self._owed: set[int] = set()  # inputs whose messages were lost on the way up
        self._merge = Merge()
        self._echoes = Echoes()
        self._follower = ClockFollower()
        self._due: list[tuple[float, int, Play]] = []
        self._numbers = 0
        self._tick: Tick | None = None
        self._ticks: Ticks | None = None
        self._problem: str | None = None
        self._sent = self._received = self._dropped = self._too_long = self._ticked = 0
        self._late_s = 0.0
        self._look_at = self._report_at = 0.0
        self._told: PortsReport | None = None

    def run(self) -> None:
        realtime.be_punctual(_PRIORITY)
        sys.setswitchinterval(_SWITCH_S)
        realtime.silence_libraries()
        self._mark.touch()
        realtime.stop_collecting()
        while self._running:
            self._look()
            self._wait()
            self._play_due()
            self._take_in()
            self._beat()
            self._report()
        self._end()

    # What there is

    def _look(self) -> None:
        now = time.monotonic()
        if self._settings is None or now < self._look_at:
            return
        self._look_at = now + LOOK_S
        try:
            self._use_ports(self._settings)
        except DeviceError as exc:
            self._problem = str(exc)
            self._look_at = now + MISSING_S
            if self._ports is not None:  # a server that has gone does not let go of its clients
                self._tell(self._state())
                os._exit(ExitStatus.IO)

    def _use_ports(self, settings: Settings) -> None:
        if self._ports is None:
            self._ports = Ports(self._on_bytes)
        inputs, outputs = self._ports.present()
        chosen_in, chosen_out = choice.choose(inputs, settings.inputs), choice.choose(outputs, settings.outputs)
        for source in self._ports.take_inputs(chosen_in.ports):
            self._lose(source)
        new = self._ports.take_outputs(chosen_out.ports)
        if self._was_killed:
            for message in silence():
                self._ports.send(message, new)
        complaints = (
            choice.complaint("input", chosen_in.missing, inputs),
            choice.complaint("output", chosen_out.missing, outputs),
        )
        self._problem = "; ".join(filter(None, complaints)) or None

    def _lose(self, source: int) -> None:
        self._parsers.pop(source, None)
        self._echoes.forget(source)
        self._owed.discard(source)
        if not self._tell(Gone(source)):
            self._owed.add(source)

    # What comes

    def _on_bytes(self, source: int, data: bytes, at: LocalSeconds) -> None:
        """On a driver's thread."""
        if len(self._came) >= _MOST_WAITING:
            self._refused += 1
            return
        self._came.append((source, data, at))
        with suppress(BlockingIOError):
            os.write(self._wake_fd, b"\0")

    def _wait(self) -> None:
        """Until something comes or is due."""
        moments = [self._report_at]
        if self._settings is not None:
            moments.append(self._look_at)
        if self._due:
            moments.append(self._due[0][0])
        if self._ticks is not None and self._tick is not None:
            moments.append(self._tick.course.local_s(self._ticks.due))
        wait_s = 0.0 if self._came else max(min(moments) - time.monotonic(), 0.0)
        parent_fd = self._parent.fileno()
        readable, _, _ = select.select([self._stop_fd, parent_fd, self._woken_fd], [], [], wait_s)
        if self._stop_fd in readable:
            self._running = False
        if self._woken_fd in readable:
            os.read(self._woken_fd, _MOST_WAITING)
        if parent_fd in readable:
            self._obey()

    def _obey(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                packet = self._parent.recv(MAX_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._running = False
                return
            with suppress(WireError):  # only our own main process writes there: a newer one, after an update
                event = control.unpack(packet)
                if isinstance(event, Play):
                    self._receive(event)
                elif event is None:
                    self._follow(control.decode(packet))

    def _follow(self, message: Message) -> None:
        match message:
            case Settings():
                self._settings = message
                self._look_at = 0.0
            case Tick():
                self._set_beat(message)
            case Hush(source):
                self._due = [one for one in self._due if one[2].source != source]
                heapq.heapify(self._due)
                self._send(self._merge.hush(source))
            case Panic():
                self._due.clear()
                self._send([*self._merge.hush_all(), *silence()])
            case Quit():
                self._running = False

    def _take_in(self) -> None:
        refused, self._refused = self._refused, 0
        if refused:
            self._dropped += refused + len(self._came)
            self._came.clear()
            for source in tuple(self._parsers):
                self._lose(source)
        for _ in range(min(len(self._came), _MOST_AT_ONCE)):
            source, data, at = self._came.popleft()
            parser = self._parsers.setdefault(source, Parser())
            dropped = parser.dropped
            for message in parser.feed(data):
                self._take(source, message, at)
            self._dropped += parser.dropped - dropped

    def _take(self, source: int, message: bytes, at: LocalSeconds) -> None:
        if CLOCK <= message[0] <= RESET or message[0] == midi.SONG_POSITION:
            if self._settings is not None and self._settings.follows_clock and message[0] != ACTIVE_SENSING:
                news = self._follower.take(source, message, at)
                if news is not None:
                    self._tell(news)
            return
        is_wanted = midi.is_channel_message(message) or (
            message[0] == SYSEX and self._settings is not None and self._settings.sysex
        )
        if not is_wanted:
            self._dropped += 1
        elif not self._echoes.is_one(source, message, at):
            self._received += 1
            self._pass_on(Played(source, at, message))

    def _pass_on(self, played: Played) -> None:
        """To the main process; where it cannot take it, all that the input holds is over."""
        if played.source in self._owed and not self._tell(Gone(played.source)):
            self._dropped += 1
            return
        self._owed.discard(played.source)
        if not self._post(control.pack(played)):
            self._dropped += 1
            self._owed.add(played.source)

    # What goes out

    def _receive(self, play: Play) -> None:
        """What is due as well: an earlier one of its source may not have been played yet."""
        self._numbers += 1
        heapq.heappush(self._due, (play.due, self._numbers, play))
        if len(self._due) > _MOST_DUE:
            self._play_next()

    def _play_due(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            self._play_next()

    def _play_next(self) -> None:
        play = heapq.heappop(self._due)[2]
        self._send(self._merge.play(play.source, play.message))

    def _send(self, messages: list[bytes]) -> None:
        if self._ports is None:
            return
        now = LocalSeconds(time.monotonic())
        for message in messages:
            if len(message) > self._ports.longest:
                self._too_long += 1
                continue
            self._echoes.sent(message, now)
            self._ports.send(message)
            self._sent += 1

    def _set_beat(self, tick: Tick) -> None:
        self._tick = tick
        if self._settings is None or not self._settings.sends_clock:
            return
        now = tick.course.room_s(LocalSeconds(time.monotonic()))
        if self._ticks is None:
            self._ticks = Ticks(tick.beat, now)
        else:
            self._ticks.follow(tick.beat, now)

    def _beat(self) -> None:
        """The clock."""
        if self._ticks is None or self._tick is None or self._ports is None:
            return
        now = time.monotonic()
        while (due := self._tick.course.local_s(self._ticks.due)) <= now:
            for message in self._ticks.next():
                self._ports.send(message)
            self._ticked += 1
            now = time.monotonic()
            self._late_s = max(self._late_s, now - due)
            self._ticks.skip(self._tick.course.room_s(LocalSeconds(now)))

    # What is told

    def _report(self) -> None:
        now, state = time.monotonic(), self._state()
        ports = (state.inputs, state.outputs, state.problem)
        told = self._told and (self._told.inputs, self._told.outputs, self._told.problem)
        if now >= self._report_at or ports != told:
            self._told, self._report_at, self._late_s = state, now + REPORT_S, 0.0
            self._tell(state)

    def _state(self) -> PortsReport:
        return PortsReport(
            inputs=self._ports.inputs if self._ports else (),
            outputs=self._ports.outputs if self._ports else (),
            problem=self._problem,
            sent=self._sent,
            received=self._received,
            dropped=self._dropped + self._merge.unheld + self._too_long,
            too_long=self._too_long,
            echoes=self._echoes.count,
            sounding=self._merge.sounding,
            ticks=self._ticked,
            late_ms=round(self._late_s * 1000, 2),
            cpu_s=round(time.process_time(), 3),
        )

    def _tell(self, message: Gone | Followed | PortsReport) -> bool:
        return self._post(control.encode(message))

    def _post(self, packet: bytes) -> bool:
        """False where the main process does not read, or is gone, which `_obey` sees."""
        try:
            self._parent.send(packet, socket.MSG_DONTWAIT)
        except OSError:
            return False
        return True

    def _end(self) -> None:
        """Silence, and no mark."""
        self._send([*self._merge.hush_all(), *(self._ticks.end() if self._ticks else ())])
        if self._ports is not None and self._ports.outputs:
            time.sleep(_DRAIN_S)
        self._mark.unlink(missing_ok=True)
        os._exit(ExitStatus.OK)


def main(arguments: list[str]) -> None:
    """Arguments: where the mark is, and the socket: see `service.open_midi`."""
    mark, control_fd = arguments
    with socket.socket(fileno=int(control_fd)) as parent:
        MidiProcess(Path(mark), parent).run()


if __name__ == "__main__":
    main(sys.argv[1:])
