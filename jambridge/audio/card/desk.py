"""Who is heard over the loudspeaker, and how loud: a channel for each peer, from which packets go to the card."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace

from jambridge.audio.card.control import Channel, ChannelReport, PlaybackReport, PlaybackSettings, SafetyName
from jambridge.audio.card.wire import HeardPacket
from jambridge.edges import Latest
from jambridge.units import LocalSeconds, PeerId

MOST_CHANNELS = 4
MOST_FADERS = 64
_BUFFER_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Fader:
    """What somebody has set for a player; `gain` 0..2."""

    gain: float = 1.0
    is_muted: bool = False


class DeskChannel:
    """One peer's packets on their way out. Never raises and never blocks: it is called from within reception."""

    def __init__(self, channel: Channel, packets: socket.socket, close: Callable[[], None]) -> None:
        self.slot = channel.slot
        self.generation = channel.generation
        self.dropped = 0
        self._packets = packets
        self._close = close

    def put(self, stream: int, sequence: int, timestamp: int, payload: bytes, arrived_at: LocalSeconds) -> None:
        packet = HeardPacket(self.slot, self.generation, stream, sequence, timestamp, arrived_at, payload)
        try:
            self._packets.send(packet.encode(), socket.MSG_DONTWAIT)
        except OSError:  # nobody plays at the moment
            self.dropped += 1

    def close(self) -> None:
        self._close()


@dataclass(frozen=True, slots=True)
class _Open:
    peer: PeerId
    name: str
    channel: DeskChannel


class Desk:
    """`settings` is for the output's process, `far` the end of the packets that it reads; both outlive it."""

    def __init__(self, master_volume: float, safety: SafetyName = "normal") -> None:
        self._near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self._channels: dict[int, _Open] = {}
        self._faders: dict[str, Fader] = {}
        self._generation = 0
        self.settings: Latest[PlaybackSettings] = Latest(PlaybackSettings(master_volume, safety=safety))

    @property
    def faders(self) -> dict[str, Fader]:
        """By the player's name; who is not in it plays as it comes."""
        return dict(self._faders)

    def open(self, peer: PeerId, name: str) -> DeskChannel | None:
        """A channel for one more peer; None when every one is taken."""
        free = next((slot for slot in range(MOST_CHANNELS) if slot not in self._channels), None)
        if free is None:
            return None
        self._generation += 1
        channel = DeskChannel(Channel(free, self._generation), self._near, lambda: self._close(channel))
        self._channels[free] = _Open(peer, name, channel)
        self._tell()
        return channel

    def playing(self, peer: PeerId, report: PlaybackReport) -> ChannelReport | None:
        """Of a report, how that peer is played."""
        ours = {(one.channel.slot, one.channel.generation) for one in self._channels.values() if one.peer == peer}
        return next((one for one in report.channels if (one.slot, one.generation) in ours), None)

    def close(self) -> None:
        self._near.close()
        self.far.close()

    def set_master(self, volume: float | None = None, *, is_muted: bool | None = None) -> None:
        now = self.settings.value
        self.settings.set(
            replace(
                now,
                master_volume=now.master_volume if volume is None else volume,
                is_muted=now.is_muted if is_muted is None else is_muted,
            )
        )

    def set_fader(self, name: str, fader: Fader) -> None:
        """For the player of that name, present or not: it is the same one when it comes back."""
        self._faders.pop(name, None)
        self._faders[name] = fader
        if len(self._faders) > MOST_FADERS:
            del self._faders[next(iter(self._faders))]
        self._tell()

    def _close(self, channel: DeskChannel) -> None:
        """It may be closed already, and another have its slot."""
        present = self._channels.get(channel.slot)
        if present is not None and present.channel is channel:
            del self._channels[channel.slot]
            self._tell()

    def _tell(self) -> None:
        channels = tuple(
            Channel(slot, one.channel.generation, fader.gain, fader.is_muted)
            for slot, one in sorted(self._channels.items())
            for fader in [self._faders.get(one.name, Fader())]
        )
        self.settings.set(replace(self.settings.value, channels=channels))
