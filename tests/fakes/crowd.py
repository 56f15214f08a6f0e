"""A crowd at one port: connections that say nothing, or a byte a second. A process of its own; use `crowd`.

Who is sent away comes back a second later, for ever.
"""

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

COUNT = 800
SIXTEEN = tuple(f"127.0.1.{number}" for number in range(1, 17))
_BREATH_S = 1.0
_HEAD = b"GET /status HTTP/1.1\r\nHost: localhost\r\nX-Endless: "
_THERE = "there\n"


@contextmanager
def crowd(port: int, addresses: Sequence[str] = SIXTEEN, *, comes_back: bool = True) -> Iterator[None]:
    """COUNT connections from these addresses of this machine, once each has been there."""
    arguments = [str(port), str(int(comes_back)), *addresses]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.crowd", *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == _THERE
            yield
        finally:
            process.kill()


async def _gather(port: int, addresses: Sequence[str], *, comes_back: bool) -> None:
    arrived = [asyncio.Event() for _ in range(COUNT)]
    async with asyncio.TaskGroup() as group:
        for number, one in enumerate(arrived):
            address = addresses[number % len(addresses)]
            group.create_task(_stand_about(port, address, one, talks=bool(number % 3), comes_back=comes_back))
        for one in arrived:
            await one.wait()
        sys.stdout.write(_THERE)
        sys.stdout.flush()


async def _stand_about(port: int, address: str, arrived: asyncio.Event, *, talks: bool, comes_back: bool) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
            arrived.set()
            try:
                await _mumble(reader, writer, talks=talks)
            finally:
                writer.close()
        arrived.set()
        if not comes_back:
            return
        await asyncio.sleep(_BREATH_S)


async def _mumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, talks: bool) -> None:
    """Until it is sent away."""
    for byte in itertools.chain(_HEAD, itertools.repeat(ord("x"))):
        if talks:
            writer.write(bytes([byte]))
        with suppress(TimeoutError):
            async with asyncio.timeout(_BREATH_S):
                if not await reader.read(1):
                    return


if __name__ == "__main__":
    asyncio.run(_gather(int(sys.argv[1]), sys.argv[3:], comes_back=sys.argv[2] == "1"))
