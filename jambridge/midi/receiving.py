"""What the peers play, on its way to the outputs here. Pure: time is a parameter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jambridge.errors import WireError
from jambridge.midi import message as midi
from jambridge.midi import wire
from jambridge.midi.control import Play
from jambridge.midi.journal import Reception
from jambridge.midi.keys import Keys
from jambridge.midi.rate import Rate
from jambridge.midi.wire import Assembly
from jambridge.room.flood import TokenBucket
from jambridge.units import LocalSeconds, PeerId, RoomSeconds

SILENT_TIMES = 5
"""A peer that holds notes and has not been heard for so many times as it says it is: it is gone."""
SYSEX_RATE, SYSEX_BURST = 16 * 1024.0, 64 * 1024.0
"""Bytes a second of one peer; a MIDI cable takes 3 KiB."""
SYSEX_TEXTS, SYSEX_TEXTS_BURST = 90.0, 120.0
"""Parts of them a second that are sent: fewer than a peer's channel takes before it turns a deaf ear."""
MAX_AHEAD_S = 0.2


@dataclass(slots=True)
class Player:
    """One peer; `source` is its number at the outputs."""

    source: int
    channel: int | None = None
    """0..15, where all that it plays goes; None: as it comes."""
    reception: Reception = field(default_factory=Reception)
    keys: Keys = field(default_factory=Keys)
    assembly: Assembly = field(default_factory=Assembly)
    sysex: TokenBucket = field(default_factory=lambda: TokenBucket(SYSEX_RATE, SYSEX_BURST))
    heard_at: float = 0.0
    last_due: float = 0.0
    count: int = 0
    rate: Rate = field(default_factory=Rate)
    """Of `count`."""
    malformed: int = 0
    refused: int = 0
    """System exclusives that were not wanted, or too much."""
    latency_ms: float | None = None
    """Smoothed: from the peer's input to here, by the room's clock."""

    @property
    def dropped(self) -> int:
        return self.reception.dropped + self.assembly.dropped + self.malformed + self.refused


class Receiving:
    """`channel_of` says where a player's messages go, `room_s` and `local_s` are the room's clock."""

    def __init__(
        self,
        channel_of: Callable[[PeerId], int | None],
        room_s: Callable[[LocalSeconds], RoomSeconds],
        local_s: Callable[[RoomSeconds], LocalSeconds],
        *,
        delay_s: float = 0.0,
        sysex: bool = False,
    ) -> None:
        self.players: dict[PeerId, Player] = {}
        self._channel_of = channel_of
        self._room_s = room_s
        self._local_s = local_s
        self._delay_s = delay_s
        self._sysex = sysex
        self._sources = self._gone_count = self._gone_dropped = 0

    @property
    def count(self) -> int:
        """Messages of all peers, also of those that are gone."""
        return self._gone_count + sum(player.count for player in self.players.values())

    @property
    def dropped(self) -> int:
        """In the same way."""
        return self._gone_dropped + sum(player.dropped for player in self.players.values())

    def take(self, peer: PeerId, text: str, now: LocalSeconds) -> list[Play]:
        """What is to be played of a text of the `midi` channel; nothing is raised."""
        player = self._player(peer)
        try:
            packet = wire.decode(text)
        except WireError:
            player.malformed += 1
            return []
        player.heard_at = now
        events = player.reception.take(packet, now)
        if events and events[-1].sequence == packet.sequence:
            self._note_latency(player, (self._room_s(now) - events[-1].at) * 1000)
        player.count += len(events)
        for one in events:
            player.keys.take(one.message, now)
        return [Play(player.source, self._due(player, one.at, now), self._on(player, one.message)) for one in events]

    def take_sysex(self, peer: PeerId, text: str, now: LocalSeconds) -> Play | None:
        """A whole system exclusive, once a text of the `sysex` channel was its last part."""
        player = self._player(peer)
        try:
            chunk = wire.decode_chunk(text)
        except WireError:
            player.malformed += 1
            return None
        if not self._sysex or not player.sysex.take(now, len(chunk.data)):
            player.refused += 1
            return None
        message = player.assembly.take(chunk)
        return None if message is None else Play(player.source, now, message)

    def hush(self, peer: PeerId, now: LocalSeconds) -> int | None:
        """A peer is gone: the number of which all that is held is to be ended."""
        player = self.players.get(peer)
        if player is None:
            return None
        for end in player.reception.forget():
            player.keys.take(end, now)
        return player.source

    def silent(self, now: LocalSeconds) -> list[PeerId]:
        """Those that hold notes, said that they would be heard, and are not."""
        return [
            peer
            for peer, player in self.players.items()
            if player.reception.held
            and player.reception.alive_s is not None
            and now - player.heard_at > SILENT_TIMES * player.reception.alive_s
        ]

    def forget(self, peer: PeerId) -> None:
        player = self.players.pop(peer, None)
        if player is not None:
            self._gone_count += player.count
            self._gone_dropped += player.dropped

    def _player(self, peer: PeerId) -> Player:
        if peer not in self.players:
            self._sources += 1
            self.players[peer] = Player(self._sources, self._channel_of(peer))
        return self.players[peer]

    def _on(self, player: Player, message: bytes) -> bytes:
        return message if player.channel is None else midi.on_channel(message, player.channel)

    def _due(self, player: Player, at: RoomSeconds, now: LocalSeconds) -> LocalSeconds:
        """Not before the delay after it was played, and never before what the same peer played earlier."""
        due = min(self._local_s(at) + self._delay_s, now + MAX_AHEAD_S) if self._delay_s else now
        player.last_due = max(due, player.last_due)
        return LocalSeconds(player.last_due)

    def _note_latency(self, player: Player, latency_ms: float) -> None:
        before = player.latency_ms
        player.latency_ms = latency_ms if before is None else before + (latency_ms - before) / 8


def channels(section: Mapping[str, int]) -> Callable[[str, str], int | None]:
    """0..15 for a member's name and instrument, as `midi.channels` of the configuration says from 1 to 16."""
    wanted = {name.casefold(): number - 1 for name, number in section.items()}
    return lambda name, instrument: wanted.get(name.casefold(), wanted.get(instrument.casefold()))
