"""Why a server cannot be used, asked of sockets that behave like it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from aioice import stun

from jambridge import ice_url
from jambridge.peers import ice_probe
from tests.scenarios.turn import certify

Answer = Callable[[stun.Message], stun.Message | None]


class Udp(asyncio.DatagramProtocol):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        answer = self._answer(stun.parse_message(data))
        if answer is not None:
            self._transport.sendto(b"garbage", addr)  # type: ignore[arg-type]
            self._transport.sendto(bytes(answer), addr)  # type: ignore[arg-type]


@asynccontextmanager
async def udp(answer: Answer) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Udp(answer), local_addr=("127.0.0.1", 0))
    yield transport.get_extra_info("sockname")[1]
    transport.close()


@asynccontextmanager
async def tcp(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"220 mail.example.org\r\n")
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def asked(url: str) -> str | None:
    return await ice_probe.ask(ice_url.parse(url), "me", "hush")


def refused(code: int, reason: str) -> Answer:
    def answer(request: stun.Message) -> stun.Message:
        said = stun.Message(request.message_method, stun.Class.ERROR, request.transaction_id)
        said.attributes["ERROR-CODE"] = (code, reason)
        return said

    return answer


def test_a_stun_server_that_answers_is_well() -> None:
    async def scenario() -> None:
        def answer(request: stun.Message) -> stun.Message:
            return stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)

        async with udp(answer) as port:
            assert await asked(f"stun:127.0.0.1:{port}") is None

    asyncio.run(scenario())


@pytest.mark.parametrize("scheme", ["stun", "turn"])
def test_silence_is_no_answer_after_two_seconds(scheme: str) -> None:
    async def scenario() -> None:
        began = asyncio.get_running_loop().time()
        async with udp(lambda _: None) as port:
            assert await asked(f"{scheme}:127.0.0.1:{port}") == "no answer"
        assert 1.9 < asyncio.get_running_loop().time() - began < 3

    asyncio.run(scenario())


@pytest.mark.parametrize("url", ["stun:127.0.0.1:{}", "turn:127.0.0.1:{}?transport=tcp", "turns:127.0.0.1:{}"])
def test_a_port_where_nobody_listens_is_said_to_refuse(url: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM if url.startswith("stun") else socket.SOCK_STREAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert "refused" in str(asyncio.run(asked(url.format(port)))).lower()


def test_a_name_that_does_not_exist_is_said_so() -> None:
    assert asyncio.run(asked("turn:turn.invalid")) in ("its name is not known", "no answer")


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (401, "Unauthorized", "it refuses the username or the credential (or one of the clocks is wrong)"),
        (486, "Allocation Quota Reached", "it has no relay left for this user"),
        (500, "Ouch", "it refuses: Ouch (500)"),
    ],
)
def test_what_a_turn_server_refuses_is_said_with_its_reason(code: int, reason: str, said: str) -> None:
    async def scenario() -> None:
        async with udp(refused(code, reason)) as port:
            assert await asked(f"turn:127.0.0.1:{port}") == said

    asyncio.run(scenario())


def test_a_certificate_that_nobody_vouches_for_is_said_so(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certify("127.0.0.1", tmp_path))

    async def scenario() -> None:
        async with tcp(context) as port:
            said = await asked(f"turns:127.0.0.1:{port}")
            assert said == "its certificate is not trusted: self-signed certificate"

    asyncio.run(scenario())


def test_a_port_without_tls_is_said_so() -> None:
    async def scenario() -> None:
        async with tcp() as port:
            assert str(await asked(f"turns:127.0.0.1:{port}")).startswith("it does not speak TLS here")

    asyncio.run(scenario())
