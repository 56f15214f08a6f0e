"""The hub in force: found, started, lost."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from jambridge.config import HubConfig
from jambridge.edges import Latest
from jambridge.errors import LinkError
from jambridge.hub_host import ForeignHub, HubAddress, OwnHub, open_hub
from jambridge.room.announce import Hub
from tests.hub.live import health, live_hub

ON_LOOPBACK = HubConfig(bind="127.0.0.1", port=0, tls_port=0, advertise=False)


async def nobody(_seconds: float) -> Sequence[Hub]:
    return ()


def test_where_no_hub_is_found_one_is_started_and_ends_with_us(tmp_path: Path) -> None:
    async def scenario() -> None:
        in_force: Latest[HubAddress | None] = Latest(None)
        async with open_hub(ON_LOOPBACK, 10, tmp_path, nobody, in_force) as hub:
            assert isinstance(hub, OwnHub)
            assert in_force.value is not None
            port = int(in_force.value.url.rpartition(":")[2])
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        with pytest.raises(OSError, match="refused|Connect"):
            await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(scenario())


def test_a_hub_that_is_found_is_used_until_it_is_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        in_force: Latest[HubAddress | None] = Latest(None)
        async with live_hub(tmp_path) as theirs:

            async def look(_seconds: float) -> Sequence[Hub]:
                return (
                    Hub("a", ("127.0.0.1",), 9, 9, "1.0.0"),
                    Hub("b", ("127.0.0.3", "127.0.0.1"), theirs.port, theirs.tls_port, "1.0.0"),
                    Hub("c", ("127.0.0.2",), 9, 9, "1.0.0"),
                )

            async with open_hub(ON_LOOPBACK, 10, tmp_path, look, in_force) as hub:
                assert isinstance(hub, ForeignHub)
                assert in_force.value == HubAddress(
                    f"http://127.0.0.1:{theirs.port}", f"https://127.0.0.1:{theirs.tls_port}"
                )
                assert (await health(theirs))["hub_id"] == "test"
        assert in_force.value is None

    asyncio.run(scenario())


def test_a_hub_that_does_not_answer_any_more_is_a_failure() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(30):
            with pytest.raises(LinkError, match="is gone"):
                await ForeignHub(HubAddress("http://127.0.0.1:9", "")).run()

    asyncio.run(scenario())


def test_a_port_in_use_is_said_with_its_remedy(tmp_path: Path) -> None:
    async def scenario() -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = ON_LOOPBACK.model_copy(update={"port": other.getsockname()[1]})
            with pytest.raises(LinkError, match=r"port.*hub\.port"):
                async with open_hub(taken, 10, tmp_path, nobody, Latest(None)):
                    pass

    asyncio.run(scenario())
