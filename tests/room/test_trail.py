"""The room's comings and goings in the log."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jambridge import logs
from jambridge.edges import Latest
from jambridge.room import trail
from jambridge.room.edges import Connection, RoomView
from jambridge.room.messages import Participant
from jambridge.units import PeerId, RoomCode
from tests.hub.live import live_hub
from tests.room.live import Seat, at, person, stop, within_patience

CODE = RoomCode("ABC123")
SHORT_S = 0.01
LONG_S = 0.3


def view(*names: str, connection: Connection = "connected") -> RoomView:
    people = (Participant(PeerId(name.lower()), name, is_host=False, joined_at=0.0) for name in names)
    return RoomView(connection, tuple(people))


@pytest.fixture(autouse=True)
def _lines_of_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def entries(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """As the journal has them."""
    return [logs.fields(record) for record in caplog.records if record.name == trail.__name__]


async def told(caplog: pytest.LogCaptureFixture, count: int) -> None:
    async with asyncio.timeout(20):
        while len(entries(caplog)) < count:  # noqa: ASYNC110  seen only from outside
            await asyncio.sleep(SHORT_S)


@asynccontextmanager
async def kept(room: Latest[RoomView], settle_s: float = SHORT_S) -> AsyncIterator[None]:
    keeper = asyncio.create_task(trail.keep(room, CODE, settle_s))
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])


def test_each_transition_is_an_entry_with_the_rooms_code_and_how_many_are_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        room = Latest(RoomView())
        async with kept(room):
            for number, now in enumerate(
                (
                    view("Box"),
                    view("Ada", "Box"),
                    view("Ada", "Box", connection="reconnecting"),
                    view("Box"),
                    view("Ben", "Box"),
                    view("Box"),
                ),
                1,
            ):
                room.set(now)
                await told(caplog, number)

    asyncio.run(scenario())
    here = {"room": "ABC123"}
    assert entries(caplog) == [
        {"event": "room created", **here, "peers": "1"},
        {"event": "members came", **here, "peers": "2", "names": "Ada", "ids": "ada"},
        {"event": "room lost", **here, "peers": "2"},
        {"event": "room joined", **here, "peers": "1"},
        {"event": "members came", **here, "peers": "2", "names": "Ben", "ids": "ben"},
        {"event": "members gone", **here, "peers": "1", "names": "Ben", "ids": "ben"},
        {"event": "room left", **here, "peers": "1"},
    ]


def test_a_band_that_sits_down_at_once_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    names = [f"M{number}" for number in range(10)]

    async def scenario() -> None:
        room = Latest(view("Box"))
        async with kept(room, LONG_S):
            await told(caplog, 1)
            for count in range(1, len(names) + 1):
                room.set(view("Box", *names[:count]))
                await asyncio.sleep(0)
            await told(caplog, 2)

    asyncio.run(scenario())
    came = entries(caplog)[1]
    assert (came["event"], came["peers"]) == ("members came", "11")
    assert came["names"] == "M0, M1, M2, M3, M4, M5, M6, M7 and 2 more"
    assert len(entries(caplog)) == 3


def test_a_room_that_was_lost_is_told_at_once_though_somebody_has_just_come(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> float:
        room = Latest(view("Box"))
        async with kept(room, settle_s=3600):
            await told(caplog, 1)
            room.set(view("Ada", "Box"))
            await asyncio.sleep(0)
            began = time.monotonic()
            room.set(view("Ada", "Box", connection="reconnecting"))
            await told(caplog, 3)
            return time.monotonic() - began

    assert asyncio.run(scenario()) < 10
    assert [entry["event"] for entry in entries(caplog)] == ["room created", "members came", "room lost"]


def test_who_never_had_a_place_has_neither_lost_nor_left_the_room(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        room = Latest(RoomView())
        async with kept(room):
            room.set(view(connection="reconnecting"))
            await asyncio.sleep(0)

    asyncio.run(scenario())
    assert entries(caplog) == []


def test_at_a_real_hub_a_member_sees_the_other_come_and_go(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub:
            ada = Seat(at(hub.port), person("Ada"))
            async with kept(ada.room.view):
                await told(caplog, 1)
                ben = Seat(at(hub.port), person("Ben", 1.0))
                await told(caplog, 2)
                await stop(ben)
                await told(caplog, 3)
            await stop(ada)

    within_patience(scenario)
    assert [(entry["event"], entry["peers"]) for entry in entries(caplog)] == [
        ("room created", "1"),
        ("members came", "2"),
        ("members gone", "1"),
        ("room left", "1"),
    ]
