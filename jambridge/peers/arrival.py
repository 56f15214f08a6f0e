"""Before aiortc takes a datagram up: when it came off the socket, and whether it may come in at all.

Whoever reaches the port may send anything: aioice keeps without a limit what nobody has taken up, makes a traceback of
each datagram that it fails over, and aiortc ends the transport at an empty one. This rests on private attributes of
aiortc 1.16.0 and aioice 0.13.0, which are pinned exactly; where one is missing the moment is not known.
"""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiortc import RTCIceTransport

from jambridge.units import LocalSeconds

MOST_WAITING = 512  # datagrams: seconds of sound

_Take = Callable[[bytes, tuple[str, int]], None]


class Arrival:
    """Follows one transport, which hands its datagrams to one reader, one after another."""

    def __init__(self, transport: RTCIceTransport, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.at: LocalSeconds | None = None
        """When the datagram last read came; None where aiortc's inside is not the one known."""
        self.dropped = 0
        """Datagrams that nobody has a use for, or too many at once."""
        self._monotonic = monotonic
        ice: Any = transport.__dict__.get("_connection")
        self._ice = ice
        if not (hasattr(ice, "data_received") and hasattr(ice, "_queue") and "_recv" in transport.__dict__):
            return
        self._queue: Callable[[bytes, int], None] = ice.data_received
        self._read: Callable[[], Awaitable[bytes]] = transport._recv  # noqa: SLF001
        ice.data_received = self._received
        transport.__dict__["_recv"] = self._taken

    def guard(self) -> None:
        """Once this end's addresses are gathered: what aioice fails over is dropped."""
        for protocol in getattr(self._ice, "_protocols", ()):
            protocol.datagram_received = partial(self._come_in, protocol.datagram_received)

    def _come_in(self, take: _Take, data: bytes, sender: tuple[str, int]) -> None:
        try:
            take(data, sender)
        except Exception:  # noqa: BLE001  a STUN attribute of another length is a struct.error, and there are others
            self.dropped += 1

    def _received(self, data: bytes, component: int) -> None:
        if not data or self._ice._queue.qsize() >= MOST_WAITING:  # noqa: SLF001
            self.dropped += 1
            return
        datagram = _Datagram(data)
        datagram.at = LocalSeconds(self._monotonic())
        self._queue(datagram, component)

    async def _taken(self) -> bytes:
        data = await self._read()
        self.at = data.at if isinstance(data, _Datagram) else None
        return data


class _Datagram(bytes):
    at: LocalSeconds
