"""When the datagram in hand came off the socket: some turns of the event loop before aiortc takes it up.

It rests on private attributes of aiortc 1.16.0 and aioice 0.13.0, which are pinned exactly; where one is missing the
moment is not known.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import RTCIceTransport

from jambridge.units import LocalSeconds


class Arrival:
    """Follows one transport, which hands its datagrams to one reader, one after another."""

    def __init__(self, transport: RTCIceTransport, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.at: LocalSeconds | None = None
        """When the datagram last read came; None where aiortc's inside is not the one known."""
        self._monotonic = monotonic
        ice: Any = transport.__dict__.get("_connection")
        if not (hasattr(ice, "data_received") and "_recv" in transport.__dict__):
            return
        self._queue: Callable[[bytes, int], None] = ice.data_received
        self._read: Callable[[], Awaitable[bytes]] = transport._recv  # noqa: SLF001
        ice.data_received = self._received
        transport.__dict__["_recv"] = self._taken

    def _received(self, data: bytes, component: int) -> None:
        datagram = _Datagram(data)
        datagram.at = LocalSeconds(self._monotonic())
        self._queue(datagram, component)

    async def _taken(self) -> bytes:
        data = await self._read()
        self.at = data.at if isinstance(data, _Datagram) else None
        return data


class _Datagram(bytes):
    at: LocalSeconds
