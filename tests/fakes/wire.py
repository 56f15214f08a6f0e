"""A network between a client and a server of WebSockets, with all that befalls one: a TCP proxy that misbehaves."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK = 65536
_CLOSE = 0x88  # RFC 6455 section 5.2: the last fragment of a close frame, unmasked as a server's are


class Wire:
    """Use `laid`."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.port = 0
        self.delay_s = 0.0
        self.accepted = 0
        self._is_deaf = False
        self._listener: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self._clients: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}

    async def up(self) -> None:
        """Accept connections, at the same port each time."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse connections, and reset those there are."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.reset()

    def reset(self) -> None:
        """Abort every connection on both sides."""
        for client, server in self._clients.items():
            client.transport.abort()
            server.transport.abort()

    def say_goodbye(self, code: int) -> None:
        """End every connection as a server that closes properly does, with that close code."""
        for client, server in self._clients.items():
            client.write(struct.pack("!BBH", _CLOSE, 2, code))
            server.transport.abort()

    def go_deaf(self) -> None:
        """Half-open, and a black hole for who comes: connections stay and are accepted, and nothing passes any more."""
        self._is_deaf = True

    def hear_again(self) -> None:
        """New connections pass. The old ones have lost too much to be of use."""
        self._is_deaf = False
        self.reset()

    async def close(self) -> None:
        await self.down()
        for pump in self._pumps:
            pump.cancel()
        if self._pumps:
            await asyncio.wait(self._pumps)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        self._clients[writer] = back
        for source, target in ((reader, back), (there, writer)):
            pump = asyncio.create_task(self._pump(source, target))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if not self._is_deaf:
                    target.write(data)
                    await target.drain()
        if not self._is_deaf:
            target.close()
            self._clients.pop(target, None)


@asynccontextmanager
async def laid(server_port: int) -> AsyncIterator[Wire]:
    wire = Wire(server_port)
    await wire.up()
    try:
        yield wire
    finally:
        await wire.close()
