"""A WLED without hardware: what it makes of packets, and what its strip shows when. Pure: time is a parameter.

Source: WLED 6d16dc2 e131.cpp, udp.cpp, wled.cpp `handleConnection`; the bus is modelled as it was measured: a show at
most every 15 ms, and none while the outputs are still being clocked out at 30 µs a pixel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from jambridge.errors import WireError
from jambridge.light import ddp, e131, wled
from jambridge.units import LocalSeconds

_PIXEL_S = 30e-6
_RESET_S = 0.3e-3
_OWN_COLOUR = bytes([255, 160, 0, 0])  # WLED's default: solid orange
_MOST_UNIVERSES = 12  # on an ESP32
_NEVER = LocalSeconds(math.inf)


@dataclass(frozen=True, slots=True)
class Traits:
    """What one unit is; `outputs` are the pixels of each bus."""

    name: str
    mac: str
    outputs: tuple[int, ...]
    rgbw: bool = False
    no_gc: bool = True
    timeout_s: float = 2.5
    universe: int = 1
    rssi_dbm: int = -52

    @property
    def pixels(self) -> int:
        return sum(self.outputs)

    @property
    def channels(self) -> int:
        return 4 if self.rgbw else 3


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture of the strip: `live`, of a stream, or its own."""

    at: LocalSeconds
    live: bool
    pixels: bytes
    """3 or 4 bytes a pixel."""


@dataclass(slots=True)
class Counters:
    packets: int = 0
    dropped: int = 0
    pushes: int = 0
    shows: int = 0
    releases: int = 0


@dataclass(slots=True)
class _Stream:
    """Realtime data as long as it lasts."""

    protocol: str = ""
    sender: str = ""
    ends_at: LocalSeconds = field(default=_NEVER)
    seen_push: bool = False


class VirtualWled:
    """Feed it packets; call `advance` at `due` at the latest, which gives what was shown."""

    def __init__(self, traits: Traits) -> None:
        self.traits = traits
        self.counters = Counters()
        self.override = 0
        """`lor`: 1 or 2, the user does not want to see the stream."""
        self._own = _OWN_COLOUR[: traits.channels] * traits.pixels
        self._buffer = bytearray(self._own)
        self._stream: _Stream | None = None
        self._pending = True
        self._shown_at = LocalSeconds(-math.inf)

    @property
    def live(self) -> bool:
        return self._stream is not None

    @property
    def lip(self) -> str:
        return self._stream.sender if self._stream else ""

    @property
    def lm(self) -> str:
        return self._stream.protocol if self._stream else ""

    def receive_ddp(self, packet: bytes, sender: str, now: LocalSeconds) -> ddp.Packet | None:
        """What WLED took of it; None if it dropped it."""
        self.counters.packets += 1
        try:
            taken = ddp.decode(packet)
        except WireError:
            self.counters.dropped += 1
            return None
        stream = self._lock("DDP", sender, now)
        self._write(taken.first_pixel, taken.channels, taken.data)
        self.counters.pushes += taken.push
        stream.seen_push |= taken.push
        if taken.push or not stream.seen_push:
            self._pending = True
        return taken

    def receive_e131(self, packet: bytes, sender: str, now: LocalSeconds) -> e131.Packet | None:
        """What WLED took of it; every universe counts as new data, which is why E1.31 tears."""
        self.counters.packets += 1
        try:
            taken = e131.decode(packet)
        except WireError:
            self.counters.dropped += 1
            return None
        place = taken.universe - self.traits.universe
        if not 0 <= place < _MOST_UNIVERSES:
            self.counters.dropped += 1
            return None
        self._lock("E1.31", sender, now)
        each = e131.RGBW_PIXELS if self.traits.rgbw else e131.RGB_PIXELS
        whole = min(each, len(taken.data) // self.traits.channels) * self.traits.channels
        self._write(place * each, self.traits.channels, taken.data[:whole])
        self._pending = True
        return taken

    def receive_udp(self, packet: bytes) -> bool:
        """On WLED's own port: whether it was a release. Its other protocols are not simulated."""
        if len(packet) < len(wled.RELEASE) or packet[1] != 0 or not 1 <= packet[0] < 99:  # noqa: PLR2004  udp.cpp
            return False
        self.counters.releases += 1
        self.end_stream()
        return True

    def end_stream(self) -> None:
        """As `{"live": false}` does."""
        if self._stream is not None:
            self._stream = None
            self._buffer[:] = self._own
            self._pending = True

    def hold_live(self) -> None:
        """As `{"live": true}` does: realtime without an end."""
        self._stream = self._stream or _Stream("JSON")
        self._stream.ends_at = _NEVER

    def due(self) -> LocalSeconds:
        """When `advance` has something to do."""
        show_at = self._shown_at + self._busy_s() if self._pending else _NEVER
        return LocalSeconds(min(show_at, self._stream.ends_at if self._stream else _NEVER))

    def advance(self, now: LocalSeconds) -> Shown | None:
        if self._stream and self._stream.ends_at <= now:
            self.end_stream()
        if not self._pending or now < self._shown_at + self._busy_s():
            return None
        self._pending, self._shown_at = False, now
        self.counters.shows += 1
        return Shown(now, self.live, bytes(self._own if self.override else self._buffer))

    def _busy_s(self) -> float:
        return max(wled.SHOW_INTERVAL_S, _PIXEL_S * max(self.traits.outputs) + _RESET_S)

    def _lock(self, protocol: str, sender: str, now: LocalSeconds) -> _Stream:
        if self._stream is None or self._stream.protocol != protocol:
            self._stream = _Stream(protocol)  # just starting: no push has been seen yet
            self._buffer[:] = bytes(len(self._buffer))
        self._stream.sender = sender
        self._stream.ends_at = LocalSeconds(now + self.traits.timeout_s)
        return self._stream

    def _write(self, first_pixel: int, channels: int, data: bytes) -> None:
        """Put `data` into the strip; RGB on RGBW leaves white dark, RGBW on RGB loses its white."""
        own = self.traits.channels
        count = min(len(data) // channels, self.traits.pixels - first_pixel)
        if count <= 0:
            return
        start, stop = first_pixel * own, (first_pixel + count) * own
        for channel in range(own):
            values: Sequence[int] = data[channel : count * channels : channels] if channel < channels else bytes(count)
            self._buffer[start + channel : stop : own] = bytes(values)
