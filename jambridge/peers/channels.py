"""The data channels of one connection: opened by the offerer, known by their labels, bounded both ways.

Source: the project's wire contract, "Data channels"; RFC 8832 (their opening). A channel more is a line of `KINDS`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from aiortc import InvalidStateError, RTCDataChannel, RTCPeerConnection

from jambridge.peers import sctp
from jambridge.peers.sctp import Association
from jambridge.room.flood import FloodGuard
from jambridge.units import LocalSeconds

MAX_CHANNELS = 8
MAX_OPENINGS = 32  # in the life of a connection
MAX_OPENING_BYTES = 256  # label and protocol in it

_CONTROL, _TEXT = 50, 51  # payload protocols, RFC 8831 section 8


@dataclass(frozen=True, slots=True)
class Kind:
    """What a channel is for us; `rate` is in messages a second, `most_waiting` in bytes not on the wire yet."""

    ordered: bool
    max_retransmits: int | None
    max_bytes: int
    rate: float
    burst: float
    most_waiting: int


SYNC: Final = "sync"
MIDI: Final = "midi"
SYSEX: Final = "sysex"
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        SYNC: Kind(ordered=False, max_retransmits=0, max_bytes=1024, rate=150, burst=300, most_waiting=4096),
        MIDI: Kind(ordered=False, max_retransmits=0, max_bytes=4096, rate=500, burst=1000, most_waiting=16_384),
        SYSEX: Kind(ordered=True, max_retransmits=None, max_bytes=8192, rate=100, burst=150, most_waiting=131_072),
    }
)

OnText = Callable[[str, str, LocalSeconds], None]
"""Label, text, and when it arrived. It must not raise."""


class Channels:
    """`arrived_at` is the moment of the datagram in hand, None where it is not known."""

    def __init__(
        self,
        pc: RTCPeerConnection,
        on_text: OnText,
        arrived_at: Callable[[], LocalSeconds | None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pc = pc
        self._on_text = on_text
        self._arrived_at = arrived_at
        self._monotonic = monotonic
        self._association: Association | None = None
        self._open: dict[str, RTCDataChannel] = {}
        self._guards = {label: FloodGuard(kind.rate, kind.burst) for label, kind in KINDS.items()}
        self._openings = 0
        self._refused = 0
        pc.add_listener("datachannel", self._adopt)

    def offer(self) -> None:
        """Open every kind, for an offer that is to be made."""
        for label, kind in KINDS.items():
            channel = self._pc.createDataChannel(label, ordered=kind.ordered, maxRetransmits=kind.max_retransmits)
            self._open[label] = channel
        self.bound()

    def bound(self) -> None:
        """Put the bounds in place, once aiortc has made an association and before it is started."""
        transport = self._pc.sctp
        if transport is None or self._association is not None:
            return
        self._association = sctp.install(transport, self._deliver, self._arrived_at)

    def reject(self) -> None:
        """The peer has no data channels."""
        self._open.clear()
        if self._pc.sctp is not None:
            sctp.never_start(self._pc.sctp)

    def send(self, label: str, text: str) -> bool:
        """Send `text`, unless the channel is not open, or does not get rid of what it has."""
        channel, data = self._open.get(label), text.encode()
        if channel is None or channel.readyState != "open" or len(data) > KINDS[label].max_bytes:
            return False
        if channel.bufferedAmount + len(data) > KINDS[label].most_waiting:
            return False
        try:
            channel.send(text)
        except (InvalidStateError, ValueError):  # longer than the peer takes
            return False
        return True

    def is_open(self, label: str) -> bool:
        channel = self._open.get(label)
        return channel is not None and channel.readyState == "open"

    @property
    def dropped(self) -> int:
        """Messages and chunks that were not taken."""
        return self._refused + (self._association.dropped if self._association is not None else 0)

    async def close(self) -> None:
        if self._association is not None:
            await self._association.close()

    def _adopt(self, channel: RTCDataChannel) -> None:
        """The peer opened a channel: one that we do not know, or have already, is closed."""
        present = self._open.get(channel.label)
        if channel.label in KINDS and (present is None or present.readyState in {"closing", "closed"}):
            self._open[channel.label] = channel
        else:
            self._refused += 1
            channel.close()

    async def _deliver(self, stream: int, protocol: int, data: bytes, received_at: LocalSeconds) -> None:
        if self._association is None or self._pc.sctp is None:
            return
        if protocol == _CONTROL:
            await self._control(stream, data)
            return
        channel = self._pc.sctp._data_channels.get(stream)  # noqa: SLF001
        label = channel.label if channel is not None else ""
        is_text = protocol == _TEXT and channel is not None and self._open.get(label) is channel
        if is_text and len(data) <= KINDS[label].max_bytes and self._guards[label].admit(self._monotonic()):
            self._on_text(label, data.decode("utf-8", "replace"), received_at)
        else:
            self._refused += 1

    async def _control(self, stream: int, data: bytes) -> None:
        """Channels are opened and acknowledged by aiortc, as many as there may be."""
        transport = self._pc.sctp
        assert transport is not None and self._association is not None  # noqa: S101, PT018  there is a message of it
        is_opening = data[:1] == b"\x03"
        self._openings += is_opening
        if is_opening and (len(transport._data_channels) >= MAX_CHANNELS or self._openings > MAX_OPENINGS):  # noqa: SLF001
            self._refused += 1
            await self._association.close()
        elif len(data) <= MAX_OPENING_BYTES:
            await transport._data_channel_receive(stream, _CONTROL, data)  # noqa: SLF001
