"""Bounds on aiortc's SCTP: what one association may hold, and how much work a peer can make it do.

Source: RFC 9260 (SCTP), 6525 (re-configuration), 3758 (partial reliability), 8831 (data channels over it). aiortc keeps
fragments and gaps without a limit, counts through whatever gaps a peer claims, and lets a malformed chunk end the
transport of the sound. It rests on private attributes of aiortc 1.16.0, which is pinned exactly; where one is missing
the association is not started, and the peer still has the sound.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import Chunk, DataChunk, ForwardTsnChunk, InitChunk, ReconfigChunk, SackChunk

from jambridge.peers.allowance import Allowance
from jambridge.units import LocalSeconds

log = logging.getLogger(__name__)

MAX_STREAMS = 16  # eight channels, their numbers even or odd
MAX_WAITING = 256  # fragments waiting for others: a message of 64 KiB is 57 of them, and each is at most 1.5 KiB
WINDOW_BYTES = 128 * 1024  # what a peer that keeps the rules has on its way at most
MAX_AHEAD = 256  # chunks beyond the first one missing
MAX_RATE = 1000  # chunks a second: a megabyte of data
MAX_BURST = 500
LEAST_WINDOW_BYTES = 12_000
"""Of congestion, as RFC 6928 has it at the start. aiortc's shrinks to one datagram at a loss, and grows only for who
fills it: then three lost in a row would keep all that follows for a second, and we send less than this anyway."""
MAX_PARAMETERS = 2  # of a re-configuration, RFC 6525 section 3.1

_TSNS = 1 << 32
_HALF = 1 << 31
_INSIDE = (
    *("_advertised_rwnd", "_forward_tsn_chunk", "_handle_data", "_inbound_streams", "_inbound_streams_max"),
    *("_last_received_tsn", "_last_sacked_tsn", "_local_tsn", "_outbound_queue", "_receive", "_receive_chunk"),
    *("_sack_misordered", "_send_chunk", "_sent_queue", "_association_state", "_data_channel_receive"),
    *("_cwnd", "_transmit"),
)

Deliver = Callable[[int, int, bytes, LocalSeconds], Awaitable[None]]


class Association:
    """Stands before an aiortc RTCSctpTransport that has not started. Use `install`.

    `deliver` gets whole messages: stream, payload protocol, bytes, and when their last datagram was taken up.
    """

    def __init__(
        self,
        sctp: RTCSctpTransport,
        deliver: Deliver,
        arrived_at: Callable[[], LocalSeconds | None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_over = False
        self.dropped = 0
        # aiortc's own type hides what is used here
        self._sctp: Any = sctp
        self._deliver = deliver
        self._arrived_at = arrived_at
        self._monotonic = monotonic
        self._received_at = LocalSeconds(monotonic())
        self._allowance = Allowance(MAX_RATE, MAX_BURST, monotonic())
        self._take_datagram = self._sctp._handle_data  # noqa: SLF001
        self._take_chunk = self._sctp._receive_chunk  # noqa: SLF001
        self._send = self._sctp._send_chunk  # noqa: SLF001
        self._transmit = self._sctp._transmit  # noqa: SLF001
        sctp.__dict__.update(
            _handle_data=self._datagram,
            _receive_chunk=self._chunk,
            _receive=self._message,
            _send_chunk=self._send_quietly,
            _transmit=self._transmit_soon,
            _advertised_rwnd=WINDOW_BYTES,
            _inbound_streams_max=MAX_STREAMS,
        )

    async def close(self) -> None:
        """End the association; what it holds is free at once."""
        if self.is_over:
            return
        self.is_over = True
        await self._sctp.stop()
        for held in ("_inbound_streams", "_sack_misordered", "_outbound_queue", "_sent_queue"):
            getattr(self._sctp, held).clear()
        self._sctp._forward_tsn_chunk = None  # noqa: SLF001  a timer under way finds nothing to send

    @property
    def waiting(self) -> int:
        """Fragments of messages that are not whole."""
        return sum(len(stream.reassembly) for stream in self._sctp._inbound_streams.values())  # noqa: SLF001

    async def _datagram(self, data: bytes) -> None:
        self._received_at = self._arrived_at() or LocalSeconds(self._monotonic())
        if self.is_over:
            return
        try:
            await self._take_datagram(data)
        except Exception as exc:  # noqa: BLE001  it would end aiortc's transport, and with it the sound
            await self._give_up(repr(exc))

    async def _chunk(self, chunk: Chunk) -> None:
        if self.is_over:
            return
        if not self._allowance.takes(self._monotonic()):
            self.dropped += 1
            if self._allowance.is_flooded:
                await self._give_up("more than any peer has to say")
        elif isinstance(chunk, DataChunk) and chunk.stream_id >= MAX_STREAMS:
            await self._give_up("more streams than were agreed on")
        elif not self._admits(chunk):
            self.dropped += 1
        else:
            await self._take_chunk(chunk)
            if self.waiting > MAX_WAITING:
                await self._give_up("too many fragments")

    async def _message(self, stream: int, protocol: int, data: bytes) -> None:
        await self._deliver(stream, protocol, data, self._received_at)

    async def _send_quietly(self, chunk: Chunk) -> None:
        """For aiortc sends from tasks that nobody awaits: what cannot be sent is lost like any datagram."""
        try:
            await self._send(chunk)
        except ConnectionError:
            self.dropped += 1

    async def _transmit_soon(self) -> None:
        self._sctp._cwnd = max(self._sctp._cwnd, LEAST_WINDOW_BYTES)  # noqa: SLF001
        await self._transmit()

    async def _give_up(self, why: str) -> None:
        """The channels end; the sound beside them goes on."""
        log.warning("the data channels of a peer are closed reason=%s", why[:200])
        await self.close()

    def _admits(self, chunk: Chunk) -> bool:
        """Whether aiortc may see the chunk, from which what is beyond reason has been taken out."""
        last = self._sctp._last_received_tsn  # noqa: SLF001
        match chunk:
            case DataChunk():
                whole = last is not None and bool(chunk.user_data)
                return whole and not MAX_AHEAD < (chunk.tsn - last) % _TSNS < _HALF
            case ForwardTsnChunk():
                streams = self._sctp._inbound_streams  # noqa: SLF001
                chunk.streams = [(number, order) for number, order in chunk.streams if number in streams]
                return last is not None
            case SackChunk():
                return self._has_sent(chunk)
            case ReconfigChunk():
                return len(chunk.params) <= MAX_PARAMETERS
            case InitChunk():  # a late repetition: it would begin the count of chunks anew
                established = RTCSctpTransport.State.ESTABLISHED
                return self._sctp._association_state is not established  # noqa: SLF001
        return True

    def _has_sent(self, sack: SackChunk) -> bool:
        """Whether this acknowledges chunks that were sent, and claims gaps between those alone."""
        newest = (self._sctp._local_tsn - 1) % _TSNS  # noqa: SLF001
        outstanding = (newest - sack.cumulative_tsn) % _TSNS
        if outstanding >= _HALF:
            return False
        most = min(outstanding, MAX_AHEAD)
        sack.gaps = [(first, last) for first, last in sack.gaps if 0 < first <= last <= most][:MAX_STREAMS]
        return True


def install(
    sctp: RTCSctpTransport, deliver: Deliver, arrived_at: Callable[[], LocalSeconds | None]
) -> Association | None:
    """Bound an association that has not started; None, and it never starts, where its inside is not the one known."""
    if not all(hasattr(sctp, name) for name in _INSIDE):
        log.warning("aiortc has changed inside: no data channels")
        never_start(sctp)
        return None
    return Association(sctp, deliver, arrived_at)


def never_start(sctp: RTCSctpTransport) -> None:
    """The peer rejects data channels, or we cannot bound them."""

    async def refuse(_capabilities: object, _port: object) -> None:
        await asyncio.sleep(0)

    sctp.__dict__["start"] = refuse
