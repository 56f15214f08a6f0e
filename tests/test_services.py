"""Services come and go one by one; the process ends only when one of them gives up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from jambridge.errors import OccupiedError
from jambridge.services import Services


class Waiting:
    def __init__(self) -> None:
        self.open = 0

    @asynccontextmanager
    async def take(self) -> AsyncIterator["Waiting"]:
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    async def run(self) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def refused() -> AsyncIterator[Waiting]:
    raise OccupiedError("somebody is there")
    yield Waiting()


def test_one_service_ends_and_is_started_again_while_the_others_go_on() -> None:
    async def scenario() -> None:
        services, seat, other = Services(), Waiting(), Waiting()
        services.start("other", other.take)
        ending = asyncio.create_task(services.until_one_gives_up())
        for _ in range(3):
            running = services.start("seat", seat.take)
            while running.present is None:  # noqa: ASYNC110  seen only from outside
                await asyncio.sleep(0)
            await services.end("seat", "never started")
            assert (seat.open, other.open, set(services.health)) == (0, 1, {"other"})
        assert not ending.done()
        ending.cancel()
        await services.stop()

    asyncio.run(scenario())


def test_a_service_started_later_is_heard_when_it_gives_up() -> None:
    async def scenario() -> None:
        services = Services()
        services.start("steady", Waiting().take)
        ending = asyncio.create_task(services.until_one_gives_up())
        await asyncio.sleep(0)
        services.start("room", refused)
        with pytest.raises(OccupiedError, match="somebody is there"):
            await asyncio.wait_for(ending, 20)
        await services.stop()

    asyncio.run(scenario())
