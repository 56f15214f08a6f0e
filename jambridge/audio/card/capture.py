"""The process of the input card: the line-in lights the strip, and goes to every peer as Opus.

All of it happens in the card's callback. What fills a packet is written to the light's ring and encoded at once: every
step has its price whatever its length, and cards give blocks of 64 frames.
"""

import socket
import sys
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.card import cards, wire
from jambridge.audio.card.cards import Card, Direction
from jambridge.audio.card.control import CaptureReport, CaptureSettings, CardReport, Heard, Message
from jambridge.audio.card.process import CardProcess
from jambridge.audio.card.rate import RateConverter
from jambridge.audio.mix.meter import Meter
from jambridge.audio.mix.tonality import WINDOW_FRAMES, Spectrum
from jambridge.audio.opus import CHANNELS, SHORT_FRAMES, Stereo
from jambridge.audio.packetizer import Packetizer
from jambridge.audio.ring import Feed, Rings, WakeWriter
from jambridge.audio.source import Source
from jambridge.errors import DeviceError
from jambridge.units import SAMPLE_RATE_HZ, PeerId

JACK_NAME = "jambridge-in"
HUSHED_DBFS = -60.0  # no loop howls below
NOTHING = 3e-5  # -90 dBFS: what no microphone stays below, not even in a quiet room
LOUDEST = 16.0  # 24 dB over full scale: what is beyond, or no number, is a driver's mistake


class Capture:
    """A card's sound on its way in. `packets` takes what is encoded; it never waits."""

    direction = Direction.INPUT
    jack_frames = SHORT_FRAMES  # nothing is done with less

    def __init__(self, feed: Feed, packetizer: Packetizer, packets: socket.socket) -> None:
        self.missed = 0
        self._feed = feed
        self._packetizer = packetizer
        self._packets = packets
        self._settings = self._in_force = CaptureSettings(sends=False)  # until the first word
        self._converter: RateConverter | None = None
        self._meter = Meter()
        self._gain = 1.0
        self._frames = self._sounded_at = 0
        self._sent = self._dropped = 0
        self._card_rate_hz, self._channels = float(SAMPLE_RATE_HZ), CHANNELS
        self._filled = 0  # bytes
        self._collect()

    def begin(self, card: Card, rate_hz: float) -> None:
        self._converter = None if rate_hz == SAMPLE_RATE_HZ else RateConverter(rate_hz, SAMPLE_RATE_HZ)
        self._sounded_at = self._frames
        self._card_rate_hz, self._channels = rate_hz, card.channels(Direction.INPUT)
        self._collect()

    def callback(self, block: memoryview) -> None:
        while len(block):
            part = block[: len(self._room) - self._filled]
            end = self._filled + len(part)
            self._room[self._filled : end] = part
            block, self._filled = block[len(part) :], end % len(self._room)
            if self._filled == 0:
                self._hear(self._stretch)
                if self._settings is not self._in_force:
                    self._collect()

    def follow(self, message: Message) -> None:
        if isinstance(message, CaptureSettings):
            self._settings = message

    def beat(self) -> Heard | None:
        """The strongest tone, for the howl guard, where there is anything to hear."""
        if self._meter.level.peak_dbfs < HUSHED_DBFS:
            return None
        return Heard(*Spectrum(self._feed.newest(WINDOW_FRAMES)).strongest())

    def report(self, card: CardReport) -> CaptureReport:
        if card.card is None:
            return CaptureReport(card, packets=self._sent, dropped=self._dropped)
        level = self._meter.level
        return CaptureReport(
            card=card,
            peak_dbfs=round(level.peak_dbfs, 1),
            level_dbfs=round(level.rms_dbfs, 1),
            silent_s=round((self._frames - self._sounded_at) / SAMPLE_RATE_HZ, 1),
            packets=self._sent,
            dropped=self._dropped,
        )

    def _collect(self) -> None:
        """Collect as much at a time as is sent, from now on."""
        settings = self._in_force = self._settings
        self._packetizer.frame_frames = settings.frame_frames
        frames = settings.frame_frames if settings.sends else SHORT_FRAMES
        shape = round(frames * self._card_rate_hz / SAMPLE_RATE_HZ), self._channels
        self._stretch: NDArray[np.float32] = np.empty(shape, np.float32)
        self._room = self._stretch.data.cast("B")
        self._filled = 0

    def _hear(self, stretch: NDArray[np.float32]) -> None:
        """Take `stretch`, shape (frames, 1 or 2), at the card's rate."""
        sound = np.repeat(stretch, CHANNELS, axis=1) if stretch.shape[1] == 1 else stretch
        if self._converter is not None:
            sound = self._converter.convert(sound)
            if not len(sound):
                return
        peak = float(np.abs(sound).max(initial=0.0))
        if not peak < LOUDEST:
            sound, peak = np.zeros_like(sound), 0.0
        self._frames += len(sound)
        if peak > NOTHING:
            self._sounded_at = self._frames
        self._meter.hear(sound, peak)
        self._feed.write(sound)
        if self._in_force.sends:
            self._send(self._faded(sound))

    def _faded(self, sound: Stereo) -> Stereo:
        """Muting takes one stretch: a step would click."""
        before, self._gain = self._gain, 0.0 if self._in_force.is_muted else 1.0
        if before == self._gain == 1.0:
            return sound
        ramp = np.linspace(before, self._gain, len(sound), dtype=np.float32)
        return sound * ramp[:, None]

    def _send(self, sound: Stereo) -> None:
        for packet in self._packetizer.packets(sound):
            self._sent += 1
            try:
                self._packets.send(wire.encode_captured(packet), socket.MSG_DONTWAIT)
            except BlockingIOError:
                self._dropped += 1
            except OSError:  # the main process is gone, and we follow
                return


def main(arguments: list[str]) -> None:
    """Arguments: the card, block and bit rate, then rings, slot and sockets: see `service.open_capture`."""
    wanted, block_frames, bit_rate, *numbers = arguments
    rings_fd, slots, capacity, wake_fd, slot, generation, packets_fd, control_fd = map(int, numbers)
    feed = Feed(
        Rings(rings_fd, slots, capacity), WakeWriter(wake_fd), Source(slot, generation, PeerId(""), "", is_line_in=True)
    )
    with socket.socket(fileno=packets_fd) as packets, socket.socket(fileno=control_fd) as control:
        capture = Capture(feed, Packetizer(int(bit_rate)), packets)
        with suppress(DeviceError):  # the first look says so
            cards.call_yourself(JACK_NAME)
        CardProcess(capture, wanted or None, int(block_frames), control).run()


if __name__ == "__main__":
    main(sys.argv[1:])
