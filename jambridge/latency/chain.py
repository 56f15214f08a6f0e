"""The whole chain on this machine: line-in, encoder, WebRTC between two local peers, playout, line-out, cable, line-in.

The processes of the cards are the daemon's own. A chirp that is once played goes in circles, each time quieter, and
the line-in's own recording holds it again and again: what lies between is all that a musician's sound goes through to
the ears of another, in the samples of one clock.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jambridge import sound
from jambridge.audio.card.control import CardReport, ChannelReport
from jambridge.audio.card.desk import Desk, DeskChannel, Fader
from jambridge.audio.feed import Feeds
from jambridge.audio.opus import CHANNELS, FRAME_FRAMES, SHORT_FRAMES
from jambridge.audio.packetizer import Packetizer
from jambridge.config import AudioConfig
from jambridge.errors import DeviceError, UnavailableError
from jambridge.latency import chirp, pair
from jambridge.latency.chirp import Echo
from jambridge.latency.pair import LISTENER, MUSICIAN
from jambridge.latency.recording import Recording
from jambridge.peers.mesh import Mesh
from jambridge.peers.status import PeerState
from jambridge.services import Running, Services
from jambridge.sound import Sound
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds, PeerId

SETTLE_S = 3.0
"""Before the first chirp: the playout has found its depth."""
CIRCLE_GAIN = 0.4
"""From one time a chirp is heard to the next."""

_CHIRPS = PeerId("chirps")
_CARDS_WITHIN_S = 15.0
_PEERS_WITHIN_S = 20.0
_LOOK_S = 0.05
_PACKET_S = FRAME_FRAMES / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Circles:
    """What became of each chirp, in frames at 48 kHz, and how the chain was set meanwhile."""

    echoes: list[Echo | None]
    depths_ms: list[float]
    """How long packets waited in the playout when each chirp was sent."""
    packet_frames: int
    missed: int
    """Callbacks before which a card lost sound."""


async def measure(section: AudioConfig, cable_gain: float, seconds: float) -> Circles:
    """Send chirps round for `seconds`, over a cable of that gain.

    Raises:
        DeviceError: a card cannot be opened, or was lost.
        UnavailableError: the two peers do not reach each other.
    """
    async with _open(section) as chain:
        await chain.connected()
        missed = chain.missed
        chain.desk.set_fader(MUSICIAN, Fader(min(CIRCLE_GAIN / cable_gain, 2.0)))
        marks = await chain.play(seconds)
        return Circles(
            chirp.circles(chain.recording.samples, [mark.frame for mark in marks], SAMPLE_RATE_HZ),
            [mark.depth_ms for mark in marks],
            chain.packet_frames,
            chain.missed - missed,
        )


class _Mark(NamedTuple):
    """How much was recorded when a chirp was sent, and how long packets waited then."""

    frame: int
    depth_ms: float


class Chain:
    """Use `measure`."""

    def __init__(self, own: Sound, services: Services, recording: Recording, listener: Running[Mesh]) -> None:
        self.recording = recording
        self._sound = own
        self._services = services
        self._listener = listener

    @property
    def desk(self) -> Desk:
        return self._sound.desk

    @property
    def packet_frames(self) -> int:
        return self._sound.capture.value.frame_frames

    @property
    def playing(self) -> ChannelReport | None:
        return self.desk.playing(MUSICIAN, self._sound.played.value)

    @property
    def missed(self) -> int:
        return sum(card.missed for card in self._cards)

    async def connected(self) -> None:
        """Both cards are open, and one peer hears the other."""
        await _until(lambda: all(card.card for card in self._cards), self._no_card, _CARDS_WITHIN_S)
        await _until(self._is_heard, self._no_peer, _PEERS_WITHIN_S)

    async def play(self, seconds: float) -> list[_Mark]:
        """Chirps, on top of what the peers play."""
        signal, begins = chirp.plan(SETTLE_S, seconds, SAMPLE_RATE_HZ)
        channel = self.desk.open(_CHIRPS, _CHIRPS)
        if channel is None:
            raise DeviceError("every channel of the mix is taken")
        marks = await self._inject(channel, signal, begins)
        channel.close()
        if any(not card.card for card in self._cards) or self.recording.starts > 1:
            raise self._no_card()
        return marks

    async def _inject(self, channel: DeskChannel, signal: NDArray[np.float32], begins: list[int]) -> list[_Mark]:
        """In packets, at the pace of this machine's clock."""
        packetizer, marks = Packetizer(), list[_Mark]()
        due_s = time.monotonic()
        for number, at in enumerate(range(0, len(signal) - FRAME_FRAMES + 1, FRAME_FRAMES)):
            stereo = np.repeat(signal[at : at + FRAME_FRAMES, np.newaxis], CHANNELS, axis=1)
            if any(at <= begin < at + FRAME_FRAMES for begin in begins):
                marks.append(_Mark(self.recording.frames, self.playing.depth_ms if self.playing else 0.0))
            for packet in packetizer.packets(stereo):
                channel.put(1, number, packet.pts, packet.payload, LocalSeconds(time.monotonic()))
            due_s += _PACKET_S
            await asyncio.sleep(max(due_s - time.monotonic(), 0))
        return marks

    @property
    def _cards(self) -> tuple[CardReport, CardReport]:
        return self._sound.captured.value.card, self._sound.played.value.card

    def _is_heard(self) -> bool:
        peers = self._listener.present.peers() if self._listener.present else []
        return any(peer.state is PeerState.CONNECTED and peer.packets for peer in peers) and self.playing is not None

    def _no_card(self) -> DeviceError:
        problems = [card.problem for card in self._cards if card.problem]
        failures = [one.last_error for one in self._services.health.values() if one.last_error]
        return DeviceError(next(iter([*problems, *failures]), "the sound cards do not open"))

    def _no_peer(self) -> UnavailableError:
        return UnavailableError(
            "two peers on this machine do not reach each other: it needs a network, and a firewall that lets it "
            "talk to itself over UDP"
        )


@asynccontextmanager
async def _open(section: AudioConfig) -> AsyncIterator[Chain]:
    """The services of a daemon's sound, and two peers without a room."""
    feeds = Feeds(1)
    own = sound.edges(section, 1.0, is_musician=True)
    own.capture.set(replace(own.capture.value, frame_frames=SHORT_FRAMES))
    services, recording = Services(), Recording(feeds)
    loop = asyncio.get_running_loop()
    loop.add_reader(feeds.wakes.read_fd, recording.take)
    open_feed = partial(feeds.open, MUSICIAN, "line-in", is_line_in=True)
    try:
        sound.start(services, own, section.model_copy(update={"send": True, "play": True}), feeds, open_feed)
        yield Chain(own, services, recording, pair.start(services, own))
    finally:
        await services.stop(MUSICIAN, LISTENER)
        loop.remove_reader(feeds.wakes.read_fd)
        feeds.wakes.close()
        own.close()


async def _until(holds: Callable[[], bool], failure: Callable[[], Exception], within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110  reports of several processes have no event in common
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise failure() from None
