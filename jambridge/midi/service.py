"""MIDI as the main process sees it: local events to every peer, theirs to the outputs here, and nothing left sounding.

`Bridge` is told of texts as they arrive, and outlives the service, whose process may be started again.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jambridge import child
from jambridge.child import Child, open_child
from jambridge.edges import Latest, values
from jambridge.errors import LinkError, WireError
from jambridge.midi import control, wire
from jambridge.midi.control import Followed, Gone, Hush, Panic, Play, Played, PortsReport, Quit, Settings, Tick
from jambridge.midi.message import MAX_SYSEX_JACK, SYSEX
from jambridge.midi.rate import Rate
from jambridge.midi.receiving import (
    SYSEX_BURST,
    SYSEX_RATE,
    SYSEX_TEXTS,
    SYSEX_TEXTS_BURST,
    Player,
    Receiving,
)
from jambridge.midi.sending import Sending
from jambridge.room.flood import TokenBucket
from jambridge.units import LocalSeconds, PeerId, RoomSeconds

log = logging.getLogger(__name__)

PROCESS = child.module("jambridge.midi.process")
RETRY_S = 1.0
_LOOK_S = 0.25
_QUIT = control.encode(Quit())


@dataclass(frozen=True, slots=True)
class Around:
    """What MIDI needs of the rest."""

    send: Callable[[str], object]
    """A text to every peer's `midi` channel, which drops what it cannot send."""
    send_sysex: Callable[[str], object]
    """The same over `sysex`; what is false: not everybody took it."""
    here: Callable[[], Collection[PeerId]]
    """The peers that are connected, with a `midi` channel that is open."""
    channel_of: Callable[[PeerId], int | None]
    change: Callable[[str, object], None]
    """A field of the room's state: LinkError where it is not ours to change."""
    tick: Latest[Tick]
    show: Callable[[], object]
    """What is played may have changed, here or by a peer: the keys of `sending` and `receiving` have it."""


class Bridge:
    """Between the peers' channels and the process of the ports, which comes and goes."""

    def __init__(self, around: Around, *, forward: bool, receive: bool, sysex: bool, delay_s: float = 0.0) -> None:
        self.report = Latest(PortsReport())
        self.sending = Sending(self._room_s)
        self.receiving = Receiving(around.channel_of, self._room_s, self._local_s, delay_s=delay_s, sysex=sysex)
        self.overflows = 0
        """How often a peer's notes were ended because the process of the ports did not take them."""
        self.unsent = 0
        """System exclusives that were too much, here or for a peer's connection."""
        self.sent_rate, self.received_rate = Rate(), Rate()
        self._around = around
        self._forwards = forward
        self._receives = receive
        self._post: Callable[[bytes], bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._owed: set[int] = set()
        self._sysex = TokenBucket(SYSEX_RATE, SYSEX_BURST)
        self._sysex_texts = TokenBucket(SYSEX_TEXTS, SYSEX_TEXTS_BURST)
        self._sysex_number = 0

    def _room_s(self, local: LocalSeconds) -> RoomSeconds:
        return self._around.tick.value.course.room_s(local)

    def _local_s(self, room: RoomSeconds) -> LocalSeconds:
        return self._around.tick.value.course.local_s(room)

    @property
    def sent(self) -> int:
        """Messages to the peers."""
        return self.sending.count if self._forwards else 0

    # From the peers

    def receive(self, peer: PeerId, text: str, received_at: LocalSeconds) -> None:
        """Take a text of the `midi` channel; nothing is raised."""
        if self._receives:
            for play in self.receiving.take(peer, text, received_at):
                self._play(play)
            self._around.show()

    def receive_sysex(self, peer: PeerId, text: str, received_at: LocalSeconds) -> None:
        """Take a text of the `sysex` channel; nothing is raised."""
        play = self.receiving.take_sysex(peer, text, received_at) if self._receives else None
        if play is not None:
            self._play(play)

    def look(self) -> None:
        """End what is held by peers that are gone, and by those whose messages had no room."""
        here, now = self._around.here(), _now()
        players = self.receiving.players.items()
        lost = [peer for peer, player in players if peer not in here and not _is_new(player, now)]
        for peer in {*lost, *self.receiving.silent(now)}:
            self._hush(peer)
        for peer in lost:
            self.receiving.forget(peer)
        for source in tuple(self._owed):
            self._say(Hush(source))
        self.sent_rate.look(self.sent, now)
        self.received_rate.look(self.receiving.count, now)
        for player in self.receiving.players.values():
            player.rate.look(player.count, now)
        self._around.show()

    async def keep(self) -> None:
        """Look again and again."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_S)

    # From the inputs

    def play(self, played: Played) -> None:
        if played.message[0] == SYSEX:
            if self._forwards:
                self._send_sysex(played)
            return
        self.sending.play(played.source, played.message, played.at)
        self._pass_on()

    def hush_input(self, source: int) -> None:
        self.sending.hush(source, _now())
        self._pass_on()

    def follow(self, followed: Followed) -> None:
        """Set the room's tempo or transport as an input's clock says."""
        with suppress(LinkError, WireError):
            if followed.tempo is not None:
                self._around.change("tempo", followed.tempo)
            if followed.is_playing is not None:
                self._around.change("isPlaying", followed.is_playing)

    # Both

    def panic(self) -> None:
        """End everything: here, and what the peers hold of ours."""
        for peer in self.receiving.players:
            self.receiving.hush(peer, _now())
        self._say(Panic())
        self.sending.hush_all(_now())
        self._pass_on()

    def open(self, post: Callable[[bytes], bool]) -> None:
        """The process is there, and takes messages by `post`."""
        self._post = post
        self._owed.clear()

    def close(self) -> None:
        """The process is gone, and with it what its inputs hold."""
        self._post = None
        self.sending.hush_all(_now())
        self._pass_on(at_once=True)

    def _play(self, play: Play) -> None:
        if play.source in self._owed:
            self._say(Hush(play.source))
        if self._post is None or play.source in self._owed:
            return
        if not self._post(control.pack(play)):
            self.overflows += 1
            self._owed.add(play.source)

    def _hush(self, peer: PeerId) -> None:
        source = self.receiving.hush(peer, _now())
        if source is not None:
            self._say(Hush(source))

    def _say(self, message: Hush | Panic) -> None:
        """What must be done: again with the next look, where there is no room now."""
        done = self._post is None or self._post(control.encode(message))
        if isinstance(message, Hush):
            (self._owed.discard if done else self._owed.add)(message.source)

    def _pass_on(self, *, at_once: bool = False) -> None:
        if self._forwards:  # first: the way to the light here is shorter
            self._flush(at_once=at_once)
        self._around.show()

    def _flush(self, *, at_once: bool = False) -> None:
        """Send what is due, and come back for what will be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, due = _now(), self.sending.due
        if due is not None and (at_once or due <= now):
            self._around.send(self.sending.text(now))
            due = self.sending.due
        if due is not None and not at_once:
            self._timer = asyncio.get_running_loop().call_at(due, self._flush)

    def _send_sysex(self, played: Played) -> None:
        self._sysex_number += 1
        chunks = wire.chunks(self._sysex_number, played.message)
        fits = self._sysex.take(played.at, len(played.message)) and self._sysex_texts.take(played.at, len(chunks))
        taken = sum(bool(self._around.send_sysex(wire.encode_chunk(chunk))) for chunk in chunks) if fits else 0
        self.unsent += taken < len(chunks)


class MidiService:
    """Use `open_midi`. Fails with DeviceError when the process is lost."""

    def __init__(self, process: Child, bridge: Bridge, settings: Settings, tick: Latest[Tick]) -> None:
        self._process = process
        self._bridge = bridge
        self._settings = settings
        self._tick = tick

    @property
    def pid(self) -> int:
        return self._process.pid

    async def run(self) -> None:
        await self._process.tell(control.encode(self._settings))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._collect())
            if self._settings.sends_clock:
                group.create_task(self._tell_tick())

    async def _tell_tick(self) -> None:
        async for tick in values(self._tick):
            await self._process.tell(control.encode(tick))

    async def _collect(self) -> None:
        while True:
            packet = await self._process.hear()
            with suppress(WireError):
                event = control.unpack(packet)
                if isinstance(event, Played):
                    self._bridge.play(event)
                elif event is None:
                    self._take(control.decode(packet))

    def _take(self, message: control.Message) -> None:
        match message:
            case Gone(source):
                self._bridge.hush_input(source)
            case Followed():
                self._bridge.follow(message)
            case PortsReport():
                _log_edges(self._bridge.report.value, message)
                self._bridge.report.set(message)


@asynccontextmanager
async def open_midi(
    bridge: Bridge, settings: Settings, tick: Latest[Tick], mark: Path, *, command: Collection[str] = PROCESS
) -> AsyncIterator[MidiService]:
    """Start the process of MIDI; end it, and all that sounds because of us, here and at the peers.

    Args:
        bridge: what it works for.
        settings: which ports.
        tick: the room's time and beat.
        mark: a file that is there while it runs.
        command: what to start.

    Raises:
        DeviceError: it cannot be started.
    """
    async with open_child("MIDI", (*command, str(mark)), (), _QUIT) as process:
        bridge.open(process.post)
        try:
            yield MidiService(process, bridge, settings, tick)
        finally:
            bridge.close()
            bridge.report.set(PortsReport(problem=bridge.report.value.problem))


def _log_edges(before: PortsReport, now: PortsReport) -> None:
    if now.problem and now.problem != before.problem:
        log.warning("midi waits error=%s", now.problem)
    if (now.inputs, now.outputs) != (before.inputs, before.outputs):
        log.info("midi ports inputs=%s outputs=%s", ", ".join(now.inputs) or "none", ", ".join(now.outputs) or "none")
    if now.too_long and not before.too_long:
        log.warning("midi drops system exclusives that are longer than JACK takes most_bytes=%d", MAX_SYSEX_JACK)


def _is_new(player: Player, now: LocalSeconds) -> bool:
    """Its first messages may come before its connection is known to be the one in use."""
    return now - player.heard_at < 1.0


def _now() -> LocalSeconds:
    return LocalSeconds(time.monotonic())
