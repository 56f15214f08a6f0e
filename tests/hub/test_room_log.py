"""Rooms of the hub in the log."""

import logging
from pathlib import Path

import pytest

from jambridge import logs
from jambridge.hub import room_log
from jambridge.hub.room_log import RoomLog
from tests.hub.live import Member, live_hub, run, settled


@pytest.fixture(autouse=True)
def _lines_of_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def entries(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """As the journal has them."""
    return [logs.fields(record) for record in caplog.records if record.name == room_log.__name__]


def test_a_room_is_told_when_the_first_comes_and_when_the_last_has_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub:
            async with Member.joined(hub, "ada"), Member.joined(hub, "ben"):
                await settled(hub, rooms=1, members=2)
            await settled(hub, rooms=0)

    run(scenario())
    assert entries(caplog) == [
        {"event": "room created", "room": "ABC123", "peers": "1"},
        {"event": "room emptied", "room": "ABC123", "peers": "0"},
    ]


@pytest.mark.parametrize(
    ("topic", "room"),
    [
        ("realtime:room:ABC123", "ABC123"),
        ("realtime:jam-ABC123", "jam-ABC123"),
        ("realtime:room:A\n12:00:00 E forged", r"'A\n12:00:00 E forged'"),
        ("realtime:" + "x" * 10_000, "x" * 64),
    ],
)
def test_whatever_a_room_is_called_it_is_one_short_line(
    topic: str, room: str, caplog: pytest.LogCaptureFixture
) -> None:
    RoomLog().tell(topic, True)
    assert caplog.messages == [f"room created room={room} peers=1"]


def test_who_makes_rooms_all_the_time_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    told = RoomLog(lambda: now_s)
    for number in range(1000):
        told.tell(f"realtime:room:{number}", True)
    assert len(caplog.records) == 128
    now_s = 60.0
    for number in range(1000):
        told.tell(f"realtime:room:{number}", False)
    assert len(caplog.records) == 128 + 60
