"""Edges: what may be lost, and what never is."""

import asyncio

from jambridge.edges import Bounded, Dropping, Latest


def test_a_reader_of_state_sees_the_newest_value_only() -> None:
    async def scenario() -> str:
        state = Latest("old")
        waiting = asyncio.create_task(state.changed("old"))
        await asyncio.sleep(0)
        state.set("passing")
        state.set("new")
        return await waiting

    assert asyncio.run(scenario()) == "new"


def test_setting_the_same_state_wakes_nobody() -> None:
    async def scenario() -> bool:
        state = Latest(1)
        waiting = asyncio.create_task(state.changed(1))
        await asyncio.sleep(0)
        state.set(1)
        await asyncio.sleep(0)
        waiting.cancel()
        return waiting.done()

    assert not asyncio.run(scenario())


def test_a_stream_drops_its_oldest_and_counts() -> None:
    async def scenario() -> list[int]:
        stream: Dropping[int] = Dropping(2)
        for item in range(5):
            stream.put(item)
        assert stream.dropped == 3
        return [await stream.get(), await stream.get()]

    assert asyncio.run(scenario()) == [3, 4]


def test_a_full_queue_refuses_and_loses_nothing_it_took() -> None:
    async def scenario() -> list[int]:
        queue: Bounded[int] = Bounded(2)
        taken = [queue.offer(item) for item in range(3)]
        assert taken == [True, True, False]
        assert queue.refused == 1
        return [await queue.get(), await queue.get()]

    assert asyncio.run(scenario()) == [0, 1]
