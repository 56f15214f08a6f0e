"""A long way to a UDP server: `python -m tests.fakes.slow_wire ADDRESS PORT SERVER_PORT MILLISECONDS`, each way.

SIGUSR1 makes it short.
"""

import asyncio
import signal
import sys
from typing import cast

Address = tuple[str, int]


class Wire(asyncio.DatagramProtocol):
    """`client` is None at the near end, where they come; each has a far end of its own."""

    delay_s = 0.0

    def __init__(
        self, server: Address, client: Address | None = None, near: asyncio.DatagramTransport | None = None
    ) -> None:
        self._server = server
        self._client = client
        self._near = near
        self._far: dict[Address, asyncio.Future[asyncio.DatagramTransport]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._client is None:
            self._near = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        loop = asyncio.get_running_loop()
        if self._client is not None and self._near is not None:
            loop.call_later(Wire.delay_s, self._near.sendto, data, self._client)
        else:
            loop.call_later(Wire.delay_s, self._forward, data, addr)

    def _forward(self, data: bytes, client: Address) -> None:
        if client not in self._far:
            self._far[client] = asyncio.ensure_future(self._open(client))
        self._far[client].add_done_callback(lambda far: far.result().sendto(data))

    async def _open(self, client: Address) -> asyncio.DatagramTransport:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Wire(self._server, client, self._near), remote_addr=self._server
        )
        return transport


async def main(address: str, port: int, server_port: int, milliseconds: float) -> None:
    Wire.delay_s = milliseconds / 1000
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: setattr(Wire, "delay_s", 0.0))
    await loop.create_datagram_endpoint(lambda: Wire((address, server_port)), local_addr=(address, port))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
