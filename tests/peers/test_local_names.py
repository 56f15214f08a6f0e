import asyncio

import pytest
from aioice import mdns

from jambridge.peers import local_names


def test_a_name_becomes_the_address_that_is_answered() -> None:
    async def scenario() -> None:
        browser = await mdns.create_mdns_protocol()
        try:
            try:
                await browser.publish("3e0b9f5c-jambridge.local", "198.51.100.7")
            except OSError:
                pytest.skip("no multicast here")
            assert await local_names.resolve("3e0b9f5c-jambridge.local") == "198.51.100.7"
            assert await local_names.resolve("3e0b9f5c-nobody.local") is None
        finally:
            await browser.close()

    asyncio.run(scenario())
