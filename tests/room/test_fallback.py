"""When the room is also open on the LAN, decided and done."""

import asyncio
from functools import partial
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jambridge.room.edges import HUB, SUPABASE
from jambridge.room.fallback import Fallback, Patience
from jambridge.room.lan_seat import keep_lan_seat
from jambridge.room.messages import Signal, SignalType
from jambridge.units import LocalSeconds, PeerId
from tests.fakes import wire
from tests.hub.live import live_hub
from tests.room.live import Seat, at, person, stop, within_patience


def decisions(*timeline: tuple[float, bool, int]) -> list[bool]:
    fallback = Fallback(LocalSeconds(0), Patience())
    return [
        fallback.wanted(connected=connected, only_here=only_here, now=LocalSeconds(now))
        for now, connected, only_here in timeline
    ]


def test_at_the_start_ten_seconds_are_waited_for_supabase() -> None:
    assert decisions((0, False, 0), (9.9, False, 0), (10, False, 0)) == [False, False, True]


def test_later_a_minute_is_waited() -> None:
    assert decisions((1, True, 0), (100, False, 0), (159, False, 0), (160, False, 0)) == [False, False, False, True]


def test_the_lan_room_is_left_when_supabase_has_settled_and_nobody_is_lost() -> None:
    away = [(0.0, False, 0), (10.0, False, 0)]
    assert decisions(*away, (20, True, 0), (24.9, True, 0), (25, True, 0))[2:] == [True, True, False]
    assert decisions(*away, (20, True, 1), (900, True, 1), (901, True, 0))[2:] == [True, True, False]
    assert decisions(*away, (20, True, 0), (24, False, 0), (26, True, 0), (30.9, True, 0))[2:] == [True] * 4


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.integers(0, 3)), max_size=60))
def test_whoever_is_only_on_the_lan_is_never_left_alone(steps: list[tuple[float, bool, int]]) -> None:
    fallback, now_s, before = Fallback(LocalSeconds(0), Patience()), 0.0, False
    for pause_s, connected, only_here in steps:
        now_s += pause_s
        wanted = fallback.wanted(connected=connected, only_here=only_here, now=LocalSeconds(now_s))
        assert wanted or not before or (connected and not only_here)
        assert before or not wanted or not connected
        before = wanted


def test_a_room_on_both_sides_is_one_room_and_is_left_on_the_lan_when_supabase_is_back(tmp_path: Path) -> None:
    """Two hubs; the first, behind a wire, stands for Supabase."""

    async def scenario() -> None:
        async with (
            live_hub(tmp_path) as hosted,
            live_hub(tmp_path) as lan,
            wire.laid(hosted.port) as internet,
        ):
            ada, bob = (Seat(at(internet.port), person(name), SUPABASE) for name in ("Ada", "Bob"))
            keeping = [asyncio.create_task(kept(seat, lan.port)) for seat in (ada, bob)]
            await ada.sees("Ada", "Bob")
            await internet.down()
            for seat in (ada, bob):
                await seat.until(lambda view: view.seats == (HUB,) and len(view.members) == 2)
            guest = Seat(at(lan.port), person("Guest"))
            await ada.sees("Ada", "Bob", "Guest")
            guest.room.change("tempo", 71)
            await ada.plays_at(71)

            await internet.up()
            for seat in (ada, bob):
                await seat.until(lambda view: view.seats == (SUPABASE, HUB) and len(view.members) == 3)
            far = Seat(at(hosted.port), person("Far"))
            await ada.sees("Ada", "Bob", "Guest", "Far")
            await far.plays_at(71)
            for target, name in ((guest, "guest"), (far, "far")):
                said = Signal(SignalType.BYE, PeerId(name), PeerId("ada"), "c1", {})
                ada.room.say(said)
                assert await target.room.signals.get() == said

            await stop(guest)
            for seat in (ada, bob):
                await seat.until(lambda view: view.seats == (SUPABASE,))
                await seat.sees("Ada", "Bob", "Far")
            for task in keeping:
                task.cancel()
            await stop(ada, bob, far)

    within_patience(scenario)


async def kept(seat: Seat, port: int) -> None:
    patience = Patience(at_start_s=0.5, later_s=0.5, settled_s=0.2)
    await keep_lan_seat(seat.room, partial(seat.sit, at(port), HUB), partial(seat.services.end, HUB), patience)
