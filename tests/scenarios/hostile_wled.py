"""What a hostile or broken network announces as WLEDs: `python -m tests.scenarios.hostile_wled ADDRESS`, on its host.

Each is announced by mDNS and answers over HTTP in a way of its own; nobody must be hurt by it.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

SERVICE = "_wled._tcp.local."
_SANE = {"ver": "16.0.1", "leds": {"count": 30, "rgbw": False}, "name": "x", "udpport": 21324, "mac": "aabbccddee00"}


def _info(**changes: object) -> bytes:
    return json.dumps({"info": _SANE | changes, "state": {}}).encode()


ANSWERS: dict[str, Callable[[], bytes]] = {
    "huge": lambda: b'{"ver": "' + b"x" * 10_000_000 + b'"}',
    "nested": lambda: b"[" * 100_000,
    "no-json": lambda: b"\x00\xff\xfe hello",
    "not-a-number": lambda: b'{"info": {"leds": {"count": NaN}, "mac": "aabbccddee01"}}',
    "endless-digits": lambda: b'{"info": {"leds": {"count": ' + b"9" * 6000 + b"}}}",
    "too-many-pixels": lambda: _info(leds={"count": 10**9}),
    "wrong-types": lambda: _info(ver=[], leds="many", mac={"a": 1}, name=None),
    "no-pixels": lambda: _info(leds={"count": 0}),
    "list": lambda: b"[1, 2, 3]",
    "empty": lambda: b"",
}


async def main(address: str) -> None:
    network = AsyncZeroconf()
    for number, (name, answer) in enumerate(ANSWERS.items()):
        await asyncio.start_server(_answering(answer), "0.0.0.0", 8000 + number)
        await _announce(network, name, address, 8000 + number)
    await asyncio.start_server(_mute, "0.0.0.0", 8100)
    await _announce(network, "mute", address, 8100)
    await asyncio.start_server(_slow, "0.0.0.0", 8101)
    await _announce(network, "drop-by-drop", address, 8101)
    await _announce(network, "nobody-there", address, 8102)
    sys.stdout.write("announced\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def _announce(network: AsyncZeroconf, name: str, address: str, port: int) -> None:
    info = ServiceInfo(
        SERVICE,
        f"{name}.{SERVICE}",
        port=port,
        properties={"mac": f"aabbccdd{port:04x}"},
        server=f"{name}.local.",
        parsed_addresses=[address],
    )
    await network.async_register_service(info)


def _answering(answer: Callable[[], bytes]) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = answer()
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    return serve


async def _mute(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for letter in b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b"[" * 10_000:
        writer.write(bytes([letter]))
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
