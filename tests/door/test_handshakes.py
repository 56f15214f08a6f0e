"""A port of TLS on loopback: whose handshake begins, and who is sent away before."""

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jambridge.door.gate import Gate
from jambridge.door.handshakes import open_handshakes
from jambridge.door.listener import Listener
from jambridge.hub import certificate

PATIENCE_S = 20.0  # a machine under load; never waited for where all is well
WORD = b"hello"


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


@dataclass
class Port:
    """Where what is said over TLS is said back. `begun` are the handshakes so far."""

    number: int
    gate: Gate
    begun: list[Echo] = field(default_factory=list)

    def make(self) -> Echo:
        self.begun.append(Echo())
        return self.begun[-1]

    async def connect(self, said: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Without TLS."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        writer.write(said)
        return reader, writer

    async def is_served(self) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number, ssl=trusting())
        with closing(writer):
            writer.write(WORD)
            return await reader.readexactly(len(WORD)) == WORD


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@asynccontextmanager
async def opened(folder: Path, gate: Gate, patience_s: float) -> AsyncIterator[Port]:
    issued = certificate.ensure(folder, frozenset({"localhost"}), dt.datetime.now(dt.UTC))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(issued.file)
    bound = socket.create_server(("127.0.0.1", 0))
    port = Port(bound.getsockname()[1], gate)
    async with open_handshakes(Listener(bound, gate), tls, port.make, patience_s):
        yield port


def at_a_port(
    folder: Path,
    scenario: Callable[[Port], Awaitable[None]],
    gate: Gate | None = None,
    patience_s: float = PATIENCE_S,
) -> Gate:
    gate = gate or Gate(100, 100)

    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S), opened(folder, gate, patience_s) as port:
            await scenario(port)

    asyncio.run(run())
    return gate


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # noqa: ASYNC110  what is waited for is another task's
        await asyncio.sleep(0.01)


def test_who_says_nothing_or_little_costs_no_handshake(tmp_path: Path) -> None:
    async def scenario(port: Port) -> None:
        crowd = [await port.connect(said) for said in (b"", b"G", b"\x16\x03\x01", b"\x16\x03\x01\x01\x00half") * 10]

        assert await port.is_served()

        assert (len(port.begun), port.gate.open) == (1, 41)
        for _, writer in crowd:
            writer.close()

    at_a_port(tmp_path, scenario)


def test_a_first_message_that_comes_in_pieces_is_waited_for(tmp_path: Path) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting().wrap_bio(incoming, outgoing)

    async def scenario(port: Port) -> None:
        reader, writer = await port.connect()
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        hello = outgoing.read()
        for number, piece in enumerate((hello[:1], hello[1:4], hello[4:5], hello[5:-1])):
            writer.write(piece)
            assert await port.is_served()  # by then the piece was looked at
            assert len(port.begun) == number + 1
        writer.write(hello[-1:])
        await until_done(client.do_handshake, reader)
        client.write(WORD)
        writer.write(outgoing.read())
        assert await until_done(lambda: client.read(100), reader) == WORD
        writer.close()

    async def until_done(step: Callable[[], bytes | None], reader: asyncio.StreamReader) -> bytes | None:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                incoming.write(await reader.read(65_536))

    at_a_port(tmp_path, scenario)


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff"], ids=repr)
def test_what_is_no_tls_is_sent_away(tmp_path: Path, said: bytes) -> None:
    async def scenario(port: Port) -> None:
        reader, writer = await port.connect(said)
        assert await ended(reader)
        assert (port.begun, port.gate.open) == ([], 0)
        writer.close()

    at_a_port(tmp_path, scenario)


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x01\x00half"], ids=repr)
def test_who_does_not_begin_is_sent_away(tmp_path: Path, said: bytes) -> None:
    async def scenario(port: Port) -> None:
        reader, writer = await port.connect(said)
        assert await ended(reader)
        assert (port.begun, port.gate.open) == ([], 0)
        writer.close()

    at_a_port(tmp_path, scenario, patience_s=0.1)


def test_who_says_nothing_gives_way(tmp_path: Path) -> None:
    async def scenario(port: Port) -> None:
        silent, partner = await port.connect()
        while not await tried(port):  # it has a tenth of a second to say something
            pass
        assert await ended(silent)
        partner.close()

    assert at_a_port(tmp_path, scenario, Gate(1, 1)).displaced == 1


async def tried(port: Port) -> bool:
    try:
        return await port.is_served()
    except (OSError, asyncio.IncompleteReadError):
        return False


def test_a_broken_handshake_is_over_and_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(port: Port) -> None:
        reader, writer = await port.connect(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00")
        await ended_after_an_alert(reader)
        await until(lambda: not port.gate.open)
        assert len(port.begun) == 1
        writer.close()

    at_a_port(tmp_path, scenario)
    assert caplog.records == []


async def ended_after_an_alert(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()


def test_closing_sends_everybody_away(tmp_path: Path) -> None:
    crowd: list[asyncio.StreamReader] = []

    async def scenario(port: Port) -> None:
        for said in (b"", b"\x16", b"\x16\x03\x01\x00\x04\x01\x00\x00\x04"):  # the last begins: OpenSSL waits for more
            reader, writer = await port.connect(said)
            crowd.append(reader)
            writers.append(writer)
        await until(lambda: port.begun)
        assert port.gate.open == 3

    writers: list[asyncio.StreamWriter] = []

    async def run() -> None:
        gate = Gate(10, 10)
        async with asyncio.timeout(PATIENCE_S):
            async with opened(tmp_path, gate, PATIENCE_S) as port:
                await scenario(port)
            assert [await ended(reader) for reader in crowd] == [True] * 3
            for writer in writers:
                writer.close()
        assert gate.open == 0

    asyncio.run(run())
