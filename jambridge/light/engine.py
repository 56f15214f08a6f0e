"""The light process: hears every source, draws what sounds, sends it to every WLED.

One loop on `select` with absolute deadlines and no asyncio, whose tick was 4.6 ms late at p99 where a thread's was 1.4
and with SCHED_FIFO 0.1. It never waits for others. It ends, and releases every strip, on SIGTERM, SIGINT, Quit, and
when the main process is gone.
"""

import math
import os
import select
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from functools import partial

from jambridge import realtime
from jambridge.audio.ring import Rings, read_wakes
from jambridge.audio.source import Source
from jambridge.errors import WireError
from jambridge.light import control, presenting
from jambridge.light.colour import Colours
from jambridge.light.control import (
    Controllers,
    LightSettings,
    MidiPlayers,
    Picture,
    Quit,
    Report,
    Sources,
    Try,
    Watch,
)
from jambridge.light.ensemble import Ensemble
from jambridge.light.hearing import Hearing
from jambridge.light.link import UdpLink
from jambridge.light.music import Music
from jambridge.light.patterns import PATTERNS
from jambridge.light.presenting import LATEST, MOST_S, TICK_S, Need, Timing
from jambridge.light.rig import Rig
from jambridge.light.stage import Stage
from jambridge.light.wled import Controller
from jambridge.notes.detector import Detector
from jambridge.notes.onset import ONSET_BLOCK, OnsetDetector
from jambridge.notes.tracker import Threshold
from jambridge.sync.clock import Course
from jambridge.typed_json import MAX_BYTES
from jambridge.units import LocalSeconds, PeerId, RoomSeconds

REPORT_S = 0.1
IDLE_REPORT_S = 0.5  # with the lights off
SHARE_AGAIN_S = 1.0
PREVIEW_S = 4 * TICK_S  # nobody sees more of it on a page
LATE_S = 0.004  # a quarter of a frame
LISTENS_AGAIN_S = 0.004  # whether anything sounds is not asked more often, unless something happened
LINGER_S = 1.0  # frames go on at the full rate behind the last sound, so that a lost one leaves nothing lit
RELEASE_AFTER_S = 5.0  # without a room, and without a sound from the line-in
_PRIORITY = 2  # the least of our real-time ones: a late frame is seen by nobody, a late block is heard
_NEVER = LocalSeconds(-math.inf)


class Engine:
    """`run` works until a byte comes on `stop_fd`, or Quit or the end of `control_socket`."""

    def __init__(self, ensemble: Ensemble, rig: Rig, wake_fd: int, control_socket: socket.socket, stop_fd: int) -> None:
        self._ensemble = ensemble
        self._rig = rig
        self._wake_fd = wake_fd
        self._control = control_socket
        self._stop_fd = stop_fd
        self._stage = Stage(ensemble)
        self._settings = LightSettings()
        self._running = True
        self._urgent_at = self._asked_at = self._sounded_at = self._heard_at = self._sourced_at = _NEVER
        self._promised_at = self._reported_at = _now()
        self._keeps_ticks = False
        self._ticks = self._late_ticks = 0
        self._has_waited = False
        self._shared_at = self._told_at = _NEVER
        self._shared = ""
        self._timing, self._changes_at = Timing(), LocalSeconds(math.inf)
        self._need, self._known_s = Need(), 0.0
        self._given_after_s: deque[float] = deque(maxlen=LATEST)
        self._course = Course(self._reported_at, RoomSeconds(self._reported_at))
        self._watched = False
        self._previewed_at = _NEVER
        self._previews: dict[str, str] = {}

    def run(self) -> None:
        try:
            while self._running:
                self._wait()
                self._show()
                self._think()
                self._share()
                self._preview()
                self._report()
        finally:
            self._rig.close()

    def _wait(self) -> None:
        """Until the next deadline or until there is news, which is taken in."""
        now = _now()
        moves = self._moves(now)
        self._promised_at, self._keeps_ticks = max(self._due(now, moves=moves), now), moves
        telling = (self._reported_at + self._report_every_s, self._share_due(moves=moves), self._preview_due)
        wait_s = max(0.0, min(self._promised_at, *telling) - now)
        news = [self._stop_fd, self._control.fileno()]
        if self._settings.mode != "off":
            news.append(self._wake_fd)
        readable, _, _ = select.select(news, [], [], wait_s)
        if self._stop_fd in readable:
            self._running = False
        if self._control.fileno() in readable:
            self._obey()
        if self._wake_fd in readable:
            self._hear()

    def _hear(self) -> None:
        if self._settings.mode == "broadcast":  # the host listens for us
            self._ensemble.attend(read_wakes(self._wake_fd))
            return
        for attacked in self._ensemble.receive(read_wakes(self._wake_fd), _now()):
            if attacked or _now() >= self._promised_at:
                self._show()  # neither a flash nor a frame that is due waits for what others play

    def _think(self) -> None:
        """Find the notes, hop by hop, so that a frame due meanwhile need not wait for all; a hop waits for it once."""
        while self._ensemble.has_hop():
            now = _now()
            if not self._has_waited and self._promised(now) - now < self._ensemble.hop_s:
                self._has_waited = True
                return
            self._has_waited = False
            self._ensemble.detect()
            self._show()

    def _promised(self, now: LocalSeconds) -> LocalSeconds:
        """When the next frame is due."""
        is_known = self._keeps_ticks and self._promised_at > now
        return self._promised_at if is_known else self._due(now, moves=self._moves(now))

    def _show(self) -> None:
        now = _now()
        if now >= self._changes_at:
            self._set_timing()
        is_urgent = self._ensemble.has_news  # sound waits for its tick: 1 ms of the 18 until it is seen
        if is_urgent:
            self._urgent_at = now
        changed = self._ensemble.advance(now) | self._stage.advance(now)
        if changed:
            self._asked_at = _NEVER
        drives = self._running and self._drives(now)
        if not drives:
            self._rig.release()
        elif now < self._promised_at and (self._keeps_ticks or not changed) and not is_urgent:
            return

        def draw(controller: Controller) -> Colours:
            return self._stage.picture(controller, now)

        moves = self._moves(now)
        if self._rig.show(draw, _now, self._urgent_at, sounding=moves, drives=drives, again=self._is_restless(now)):
            self._ticks += 1
            self._late_ticks += now - self._promised_at > LATE_S

    def _share_due(self, *, moves: bool) -> float:
        if not self._settings.shares or self._settings.mode == "off":
            return math.inf
        return self._shared_at + (TICK_S if moves else SHARE_AGAIN_S)

    def _share(self) -> None:
        """Tell what we show: when it changes, and again every second."""
        now = _now()
        if not self._settings.shares or self._share_due(moves=self._moves(now)) > now:
            return
        picture = self._stage.shared(now)
        if picture != self._shared or now - self._told_at >= SHARE_AGAIN_S:
            self._shared, self._told_at = picture, now
            with suppress(OSError):
                self._control.send(control.encode(Picture(picture, at_s=self._course.room_s(now) - self._known_s)))
        self._shared_at = now

    @property
    def _preview_due(self) -> float:
        return self._previewed_at + PREVIEW_S if self._watched else math.inf

    def _preview(self) -> None:
        """Tell who watches what the strips show, if that has changed."""
        now = _now()
        if self._preview_due > now:
            return
        self._previewed_at = now
        strips = self._rig.previews()
        if strips != self._previews:
            with suppress(OSError):  # then at the next occasion
                self._control.send(control.encode_previews(strips))
                self._previews = strips

    def _due(self, now: LocalSeconds, *, moves: bool) -> LocalSeconds:
        frame = self._rig.due(self._urgent_at, sounding=moves, drives=self._drives(now))
        return frame if moves else min(frame, self._ensemble.due, self._stage.due)

    def _sounds(self, now: LocalSeconds) -> bool:
        if now - self._asked_at >= LISTENS_AGAIN_S:
            self._asked_at = now
            if self._ensemble.sounds(now):
                self._sounded_at = now
        return now - self._sounded_at < LINGER_S

    def _moves(self, now: LocalSeconds) -> bool:
        """Whether pictures change: also where notes still fade, and on the beat."""
        return self._sounds(now) or self._stage.is_moving or now - self._sounded_at < self._stage.fades_s

    def _is_restless(self, now: LocalSeconds) -> bool:
        """Whether any frame may be another. Of MIDI alone few are, and one sent again is in the way of news."""
        if self._ensemble.is_heard(now):
            self._heard_at = now
        return self._stage.is_moving or now - self._heard_at < LINGER_S

    def _drives(self, now: LocalSeconds) -> bool:
        follows = self._settings.mode == "broadcast"  # in force only while the host's pictures come
        if follows or self._ensemble.has_members or self._sounds(now):
            self._sourced_at = now
        wanted = self._settings.mode != "off" and not self._settings.paused
        return wanted and now - self._sourced_at < RELEASE_AFTER_S

    @property
    def _report_every_s(self) -> float:
        return IDLE_REPORT_S if self._settings.mode == "off" else REPORT_S

    def _obey(self) -> None:
        while self._running:
            try:
                packet = self._control.recv(MAX_BYTES)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if packet:
                with suppress(WireError):  # only our own main process writes there: a newer one, after an update
                    self._follow(control.decode(packet))
            else:
                self._running = False

    def _follow(self, message: control.Message) -> None:
        match message:
            case Controllers(controllers):
                self._rig.set_controllers(controllers)
                self._set_timing()
            case LightSettings():
                if message.threshold != self._settings.threshold:
                    self._ensemble.set_listen(partial(listen, threshold=message.threshold))
                self._settings = self._stage.settings = message
                self._rig.set_settings(message)
                self._set_timing()
            case Try(controller, pattern):
                self._rig.begin_trial(controller, PATTERNS[pattern], _now())
            case Watch(is_on):
                self._watched, self._previews = is_on, {}
            case Quit():
                self._running = False
            case _:
                self._follow_room(message)

    def _follow_room(self, message: control.Message) -> None:
        """Take in what is to be shown, and when."""
        match message:
            case Sources(sources):
                self._ensemble.set_sources(sources)
            case MidiPlayers(players):
                self._ensemble.set_midi(players, _now())
            case Course() | Timing() | Picture():
                self._follow_time(message)
            case Music():
                self._stage.music = message

    def _follow_time(self, message: Course | Timing | Picture) -> None:
        now = _now()
        match message:
            case Course():
                self._course = message
                phase_s = (message.room_s(now) - now) % TICK_S
                self._rig.set_phase(phase_s)
                self._ensemble.set_phase(phase_s)
            case Timing():
                self._timing = message
                self._set_timing()
            case Picture(at_s=at_s):
                delay_s = None if at_s is None else self._timing.at(at_s)
                if at_s is None or delay_s is None:
                    self._stage.give(message, now)
                    return
                shown_at = self._course.local_s(RoomSeconds(at_s))
                self._given_after_s.append(now - shown_at)
                due = min(shown_at + delay_s - self._rig.lead_s, now + MOST_S)
                self._stage.give(message, LocalSeconds(due))

    def _set_timing(self) -> None:
        """What others are to show with us is drawn when we know it, and sent when they have it.

        Strips that all others here wait for are sent their frames sooner than the room agreed on.
        """
        now, shares, lead_s = _now(), self._settings.shares, self._rig.lead_s
        changes_at = self._course.local_s(RoomSeconds(self._timing.since_s))
        timing = replace(self._timing, since_s=changes_at).sooner(lead_s)
        self._ensemble.set_timing(Timing(ways=timing.ways) if shares else timing)
        delay_s = timing.at(now)
        self._rig.set_hold(max(0.0, delay_s - self._known_s) if shares and delay_s is not None else 0.0)
        self._changes_at = changes_at if changes_at > now else LocalSeconds(math.inf)

    def _measure(self, now: LocalSeconds) -> float | None:
        """How long after it was played a moment can be shown; None where that is not known or nobody waits."""
        if self._timing.delay_s is None:
            self._need, self._known_s = Need(), 0.0
            return None
        follows = self._settings.mode == "broadcast"
        known_s = presenting.nearly_most(self._given_after_s) if follows else self._ensemble.needs_s
        if known_s is None:
            return None
        known_s = self._need.follow(known_s, now)
        if known_s != self._known_s:
            self._known_s = known_s
            self._set_timing()
        return round(known_s + self._rig.lead_s, 6)

    def _report(self) -> None:
        now = _now()
        if now - self._reported_at < self._report_every_s or not self._running:
            return
        self._reported_at = now
        report = Report(
            pid=os.getpid(),
            ticks=self._ticks,
            late_ticks=self._late_ticks,
            cpu_s=round(time.process_time(), 3),
            detector_s=round(self._ensemble.detector_s, 3),
            sources=self._ensemble.report(now),
            outputs=self._rig.report(now),
            needs_s=self._measure(now),
        )
        with suppress(OSError):  # a main process that does not read now is told later; one that is gone, _obey sees
            self._control.send(control.encode(report))


def listen(source: Source, threshold: Threshold = "normal") -> Hearing:
    return Hearing(source, OnsetDetector(), ONSET_BLOCK, Detector(threshold=threshold))


def main(arguments: list[str]) -> None:
    """Arguments: descriptors and sizes of the rings, see `process.open_light`."""
    rings_fd, slots, capacity, wake_fd, control_fd = map(int, arguments)
    stop_fd = realtime.stop_on_signals()
    realtime.be_punctual(_PRIORITY)
    with socket.socket(fileno=control_fd) as control_socket:
        control_socket.setblocking(False)
        ensemble = Ensemble(Rings(rings_fd, slots, capacity), listen)
        listen(Source(0, 0, PeerId(""), ""))  # the first detector computes the tables of all
        realtime.stop_collecting()
        Engine(ensemble, Rig(UdpLink), wake_fd, control_socket, stop_fd).run()


def _now() -> LocalSeconds:
    return LocalSeconds(time.monotonic())


if __name__ == "__main__":
    main(sys.argv[1:])
