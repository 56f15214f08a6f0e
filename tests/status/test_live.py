"""`/events` over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from jambridge.edges import Latest
from jambridge.status.access import Access
from jambridge.status.live import MOST_VIEWERS, PERIOD_S, Live
from jambridge.status.server import StatusServer
from jambridge.strict_json import JsonObject
from tests.fakes.waiting import until

PATIENCE_S = 20


@dataclass
class Stage:
    """A box whose status is `tempo`, which counts how often it was asked."""

    tempo: int = 120
    asked: int = 0
    is_broken: bool = False
    watched: Latest[bool] = field(default_factory=lambda: Latest(False))
    strips: Latest[bytes] = field(default_factory=lambda: Latest(b""))
    urgent: Latest[int] = field(default_factory=lambda: Latest(0))

    def status(self) -> JsonObject:
        self.asked += 1
        assert not self.is_broken
        return {"uptime_s": self.asked, "clock": {"room_ms": self.asked}, "state": {"tempo": self.tempo, "key": "C"}}


def on_stage(scenario: Callable[[Stage, aiohttp.ClientSession], Awaitable[None]], period_s: float = PERIOD_S) -> None:
    async def run() -> None:
        stage = Stage()
        live = Live(stage.status, stage.watched, stage.strips, stage.urgent, period_s)
        server = StatusServer(stage.status, dict, lambda: True, Access(None, ()), live)
        async with TestServer(server.application()) as served, asyncio.timeout(PATIENCE_S):
            looking = asyncio.create_task(live.run())
            async with aiohttp.ClientSession(served.make_url("/")) as session:
                await scenario(stage, session)
            looking.cancel()

    asyncio.run(run())


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in answer.content:
        if line.startswith(b"event: "):
            name = line[7:].decode().strip()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])


def test_the_whole_comes_first_and_then_what_has_changed() -> None:
    async def scenario(stage: Stage, session: aiohttp.ClientSession) -> None:
        async with session.get("/events") as answer:
            assert answer.content_type == "text/event-stream"
            told = events(answer)
            name, whole = await anext(told)
            assert (name, whole["state"]) == ("status", {"tempo": 120, "key": "C"})
            stage.tempo = 96
            assert await anext(told) == ("patch", {"state": {"tempo": 96}})
            stage.strips.set(b'{"aa":"/wAA","bb":""}')
            assert await anext(told) == ("strips", {"aa": "/wAA", "bb": ""})
            stage.strips.set(b'{"aa":"AP8A","bb":""}')
            assert await anext(told) == ("strips", {"aa": "AP8A", "bb": ""})

    on_stage(scenario)


def test_what_is_urgent_does_not_wait() -> None:
    async def scenario(stage: Stage, session: aiohttp.ClientSession) -> None:
        async with session.get("/events") as answer:
            told = events(answer)
            await anext(told)
            await until(lambda: stage.asked == 2)
            stage.tempo = 96
            stage.urgent.set(1)
            assert await anext(told) == ("patch", {"state": {"tempo": 96}})

    on_stage(scenario, period_s=1000)


def test_nobody_looking_nothing_is_computed() -> None:
    async def scenario(stage: Stage, session: aiohttp.ClientSession) -> None:
        assert (stage.asked, stage.watched.value) == (0, False)
        async with session.get("/events") as answer:
            await anext(events(answer))
            assert stage.watched.value
        await until(lambda: not stage.watched.value)
        asked = stage.asked
        for _ in range(3):
            async with session.get("/healthz"):
                pass
            await asyncio.sleep(0.1)
        assert stage.asked <= asked + 1  # the one that was under way

    on_stage(scenario)


def test_viewers_are_bounded_and_make_room_when_they_go() -> None:
    async def scenario(stage: Stage, session: aiohttp.ClientSession) -> None:
        looking = [await session.get("/events") for _ in range(MOST_VIEWERS)]
        async with session.get("/events") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
            assert "close a page" in (await answer.json())["error"]
        for one in looking:
            one.close()
        await until(lambda: not stage.watched.value)
        async with session.get("/events") as answer:
            assert answer.status == 200

    on_stage(scenario)


def test_a_viewer_who_could_not_be_shown_anything_is_not_counted() -> None:
    async def scenario(stage: Stage, session: aiohttp.ClientSession) -> None:
        stage.is_broken = True
        async with session.get("/events") as answer:
            assert answer.status == 500
        stage.is_broken = False
        async with session.get("/events") as answer:
            assert (await anext(events(answer)))[1]["state"] == {"tempo": 120, "key": "C"}
        await until(lambda: not stage.watched.value)

    on_stage(scenario)


def test_who_comes_later_sees_the_strips_as_they_are() -> None:
    async def scenario(stage: Stage, session: aiohttp.ClientSession) -> None:
        async with session.get("/events"):
            await until(lambda: stage.watched.value)
            stage.strips.set(b'{"aa":"/wAA"}')
            async with session.get("/events") as answer:
                told = events(answer)
                assert (await anext(told))[0] == "status"
                assert await anext(told) == ("strips", {"aa": "/wAA"})

    on_stage(scenario)


def test_a_page_of_another_site_sees_nothing() -> None:
    async def scenario(stage: Stage, session: aiohttp.ClientSession) -> None:
        for header in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            async with session.get("/events", headers=header) as answer:
                assert answer.status == 403
        assert stage.asked == 0

    on_stage(scenario)
