"""Where the room is at another box's hub, sessions go into that box's database, beside what its browsers store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from jambridge.store.merging import Setup
from jambridge.store.remote import Endpoint, RemoteStore, open_remote
from tests.fakes.waiting import until
from tests.hub.live import live_hub
from tests.store.golden import GOLDEN, MUSIC, STUDIO
from tests.store.saving import Database, inputs, played, saving


@asynccontextmanager
async def a_hub(directory: Path) -> AsyncIterator[tuple[Endpoint, RemoteStore]]:
    """Its address, and somebody else who stores there."""
    async with asyncio.timeout(60), live_hub(directory) as hub:
        endpoint = Endpoint(f"http://127.0.0.1:{hub.port}", "lan")
        async with open_remote(endpoint) as browser:
            yield endpoint, browser


def test_a_hub_takes_what_postgrest_takes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_hub(tmp_path) as (endpoint, browser), open_remote(endpoint) as box:
            assert await box.get("ABC123") is None
            assert await box.save("ABC123", GOLDEN) == GOLDEN
            await browser.save("ABC123", {**GOLDEN, "mixer": [1]})
            faster = {**GOLDEN, "music": {**MUSIC, "tempo": 160}}
            stored = await box.save("ABC123", faster)
            found = await browser.get("ABC123")

            assert found is not None and found.state == stored
            assert (stored["music"]["tempo"], stored["mixer"], stored["metadata"]["revision"]) == (160, [1], 3)
            assert [one.id for one in await browser.recent()] == ["ABC123"]
            assert [await box.delete("ABC123"), await box.delete("ABC123")] == [True, False]

    asyncio.run(scenario())


def test_the_saver_brings_its_session_to_the_hub_where_the_room_is(tmp_path: Path) -> None:
    database = Database(tmp_path / "ours" / "sessions.sqlite")

    async def scenario() -> None:
        async with a_hub(tmp_path) as (endpoint, browser):
            await browser.save("ABC123", GOLDEN)
            given = inputs(played(tempo=90), setup=Setup(), remote=endpoint)
            async with saving(database.path, given) as saver:
                await until(lambda: database.value("studio", "loadedModules"))
                await until(lambda: saver.report.pending == 0)
            found = await browser.get("ABC123")
            assert found is not None
            assert (found.state["music"]["tempo"], found.state["studio"]) == (90, STUDIO)

    asyncio.run(scenario())
    assert (database.value("music", "tempo"), (database.state() or {})["studio"]) == (90, STUDIO)
