"""The process of the output card: every peer's packets, played in time and mixed.

All of it happens in the card's callback: it reads what has come since, asks each playout buffer for the next frames,
which decodes what is due, and mixes. Nothing waits in between.
"""

import math
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jambridge.audio.card import cards, wire
from jambridge.audio.card.cards import Card, Direction
from jambridge.audio.card.control import (
    CardReport,
    Channel,
    ChannelReport,
    Heard,
    Message,
    PlaybackReport,
    PlaybackSettings,
)
from jambridge.audio.card.process import CardProcess
from jambridge.audio.card.rate import RateConverter
from jambridge.audio.mix.howl import HowlGuard
from jambridge.audio.mix.mixer import MOST_FRAMES, Mixer
from jambridge.audio.mix.tonality import Ear
from jambridge.audio.opus import CHANNELS, Stereo
from jambridge.audio.playout.arrivals import Packet
from jambridge.audio.playout.buffer import Playout
from jambridge.audio.playout.depth import Safety
from jambridge.audio.playout.fifo import Fifo
from jambridge.errors import DeviceError, WireError
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds

JACK_NAME = "jambridge-out"
_BLOCK_FRAMES = 128  # of what is converted at once for a card at another rate
_MOST_PACKETS = 64  # read in one callback: four peers after a stall of 40 ms


class _Wanted(NamedTuple):
    settings: PlaybackSettings
    playouts: dict[int, Playout]
    """One for each channel's generation."""


@dataclass(slots=True)
class _Track:
    """One peer, played."""

    generation: int
    playout: Playout


class Playback:
    """The mix on its way out. `packets` gives what peers have sent."""

    direction = Direction.OUTPUT
    jack_frames = 0

    def __init__(self, packets: socket.socket) -> None:
        self.missed = 0
        self._packets = packets
        self._ear = Ear()
        self._mixer = Mixer(listen=self._ear.hear)
        self._guard = HowlGuard()
        self._wanted = self._in_force = _Wanted(PlaybackSettings(), {})
        self._tracks: dict[int, _Track] = {}
        self._converter: RateConverter | None = None
        self._waiting = Fifo()
        self._channels = CHANNELS

    def begin(self, card: Card, rate_hz: float) -> None:
        self._channels = card.channels(Direction.OUTPUT)
        self._converter = None if rate_hz == SAMPLE_RATE_HZ else RateConverter(SAMPLE_RATE_HZ, rate_hz)
        with suppress(BlockingIOError):
            while self._packets.recv(wire.MAX_BYTES, socket.MSG_DONTWAIT):
                pass  # what came while there was no card is old

    def callback(self, block: memoryview) -> None:
        out = np.frombuffer(block, np.float32).reshape(-1, self._channels)
        now = _now()
        self._adjust()
        self._receive()
        if self._converter is None and self._channels == CHANNELS:
            self._mix(out, now)
            return
        mix = self._converted(len(out), now)
        if self._channels == 1:
            np.mean(mix, axis=1, keepdims=True, out=out)
        else:
            out[:] = mix

    def follow(self, message: Message) -> None:
        if isinstance(message, PlaybackSettings):
            self._wanted = _Wanted(message, dict(self._prepared(message)))
        elif isinstance(message, Heard):
            self._guard.hear_input(message.frequency_hz, message.level_dbfs, message.tonality, _now())

    def beat(self) -> None:
        self._guard.look(self._ear.spectrum(), _now())
        self._mixer.ducking = self._guard.gain

    def report(self, card: CardReport) -> PlaybackReport:
        played = self._mixer.played
        return PlaybackReport(
            card=card,
            peak_dbfs=round(played.peak_dbfs, 1),
            level_dbfs=round(played.rms_dbfs, 1),
            limited_db=round(-20 * math.log10(max(self._mixer.limiting * self._guard.gain, 1e-6)), 1),
            is_howling=self._guard.howling,
            channels=tuple(self._channel(slot, track) for slot, track in tuple(self._tracks.items())),
        )

    def _prepared(self, settings: PlaybackSettings) -> Iterator[tuple[int, Playout]]:
        """What a callback would need too long to make."""
        present = self._wanted.playouts
        for channel in settings.channels:
            yield channel.generation, present.get(channel.generation) or Playout(Safety[settings.safety.upper()])

    def _adjust(self) -> None:
        """Take over the settings, if they are others than before."""
        if self._wanted is self._in_force:
            return
        self._in_force = settings, playouts = self._wanted
        self._mixer.volume, self._mixer.muted = settings.master_volume, settings.is_muted
        wanted = {channel.slot: channel for channel in settings.channels}
        for slot, track in tuple(self._tracks.items()):
            if slot not in wanted or wanted[slot].generation != track.generation:
                del self._tracks[slot]
                self._mixer.forget(track.generation)
        for slot, channel in wanted.items():
            self._set(slot, channel, playouts[channel.generation])

    def _set(self, slot: int, channel: Channel, playout: Playout) -> None:
        """The mixer knows a peer by its generation: who leaves dies away while another has its slot already."""
        if slot not in self._tracks:
            self._tracks[slot] = _Track(channel.generation, playout)
        self._mixer.set_gain(channel.generation, channel.gain)
        self._mixer.set_muted(channel.generation, channel.is_muted)

    def _receive(self) -> None:
        for _ in range(_MOST_PACKETS):
            try:
                heard = wire.heard(self._packets.recv(wire.MAX_BYTES, socket.MSG_DONTWAIT))
            except BlockingIOError:
                return
            except (OSError, WireError):
                continue
            track = self._tracks.get(heard.slot)
            if track is not None and track.generation == heard.generation:
                track.playout.put(
                    Packet(heard.sequence, heard.timestamp, heard.arrived_at, heard.payload, heard.stream)
                )

    def _mix(self, out: Stereo, now: LocalSeconds) -> None:
        for at in range(0, len(out), MOST_FRAMES):  # JACK may have periods longer than the mixer's
            part = out[at : at + MOST_FRAMES]
            self._mixer.mix({one.generation: one.playout.pull(len(part), now) for one in self._tracks.values()}, part)

    def _converted(self, frames: int, now: LocalSeconds) -> Stereo:
        while self._waiting.frames < frames:
            mix = np.empty((_BLOCK_FRAMES if self._converter else frames, CHANNELS), np.float32)
            self._mix(mix, now)
            self._waiting.put(self._converter.convert(mix) if self._converter else mix)
        return self._waiting.take(frames)

    def _channel(self, slot: int, track: _Track) -> ChannelReport:
        playing = track.playout.report()
        return ChannelReport(
            slot=slot,
            generation=track.generation,
            level_dbfs=round(self._mixer.level_dbfs(track.generation), 1),
            depth_ms=round(playing.depth_ms, 2),
            target_ms=round(playing.target_ms, 2),
            jitter_ms=round(playing.jitter_ms, 2),
            underruns=playing.underruns,
            late=playing.late,
            lost=playing.lost,
            recovered=playing.recovered,
            concealed=round(playing.concealed, 5),
            concealed_ms=round(playing.concealed_ms, 1),
            splices=playing.splices,
            rate_ppm=round(playing.rate_ppm, 1),
        )


def _now() -> LocalSeconds:
    return LocalSeconds(time.monotonic())


def main(arguments: list[str]) -> None:
    """Arguments: the card and block, then the sockets: see `service.open_playback`."""
    wanted, block_frames, packets_fd, control_fd = arguments
    with socket.socket(fileno=int(packets_fd)) as packets, socket.socket(fileno=int(control_fd)) as control:
        playback = Playback(packets)
        with suppress(DeviceError):  # the first look says so
            cards.call_yourself(JACK_NAME)
        CardProcess(playback, wanted or None, int(block_frames), control).run()


if __name__ == "__main__":
    main(sys.argv[1:])
