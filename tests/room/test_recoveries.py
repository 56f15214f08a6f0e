"""Whatever befalls a connection, its member is back in the room, is seen there, and hears and is heard.

The failures are those of the Supabase client library as measured; the network is a proxy that misbehaves.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from jambridge.hub.server import HubServer
from jambridge.room.client import ROOM_RETRY_S
from jambridge.room.edges import HUB
from jambridge.room.line import open_line
from jambridge.room.messages import Signal, SignalType
from jambridge.units import PeerId
from tests.fakes import wire
from tests.fakes.hostile_hub import HostileHub
from tests.fakes.waiting import until
from tests.fakes.wire import Wire
from tests.hub.live import Member, live_hub
from tests.room.live import TOPIC, Seat, at, person, seated, stop, within_patience

BACK_WITHIN_S = 10.0


@asynccontextmanager
async def jam(place: Path) -> AsyncIterator[tuple[HubServer, Wire, Seat, Seat]]:
    """Ada behind a wire, Bob beside the hub."""
    async with live_hub(place) as hub, wire.laid(hub.port) as between, seated(at(hub.port), "Bob") as (bob,):
        ada = Seat(at(between.port), person("Ada", 1))
        await bob.sees("Ada", "Bob")
        await ada.hosted_by("bob")
        try:
            yield hub, between, ada, bob
        finally:
            await stop(ada)


async def whole(hub: HubServer, ada: Seat, bob: Seat) -> None:
    """Ada is seen by who is there and by who comes; both hear each other."""
    await ada.sees("Ada", "Bob")
    await bob.sees("Ada", "Bob")
    async with seated_newcomer(hub) as cy:
        await cy.sees("Ada", "Bob", "Cy")
    ada.room.change("tempo", 91)
    await bob.plays_at(91)
    bob.room.change("tempo", 92)
    await ada.plays_at(92)


@asynccontextmanager
async def seated_newcomer(hub: HubServer) -> AsyncIterator[Seat]:
    cy = Seat(at(hub.port), person("Cy", 2))
    try:
        yield cy
    finally:
        await stop(cy)


@pytest.mark.parametrize(
    "trouble",
    [
        Wire.reset,
        *(partial(Wire.say_goodbye, code=code) for code in (1000, 1001, 1011, 1012)),
    ],
    ids=["reset", "1000", "1001", "1011", "1012"],
)
def test_a_connection_that_ends_is_replaced(trouble: Callable[[Wire], None], tmp_path: Path) -> None:
    async def scenario() -> None:
        async with jam(tmp_path) as (hub, between, ada, bob):
            trouble(between)
            await ada.goes("reconnecting")
            await whole(hub, ada, bob)
            assert between.accepted == 2

    within_patience(scenario)


def test_a_half_open_connection_is_noticed_and_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with jam(tmp_path) as (hub, between, ada, bob):
            between.go_deaf()
            await ada.goes("reconnecting")
            between.hear_again()
            await whole(hub, ada, bob)

    within_patience(scenario)


def test_a_slow_network_is_no_reason_to_leave(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with jam(tmp_path) as (hub, between, ada, bob):
            between.delay_s = 0.7
            bob.room.change("tempo", 90)
            await ada.plays_at(90)
            await asyncio.sleep(6)  # time for a ping and its answer: that nothing happens cannot be waited for
            between.delay_s = 0.0
            await whole(hub, ada, bob)
            assert between.accepted == 1

    within_patience(scenario)


@pytest.mark.slow
def test_a_server_away_for_more_than_five_tries_is_joined_within_ten_seconds_of_its_return(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, wire.laid(hub.port) as between, seated(at(hub.port), "Bob") as (bob,):
            ada = Seat(at(between.port), person("Ada", 1), longest_delay_s=ROOM_RETRY_S)
            await bob.sees("Ada", "Bob")
            await between.down()
            await until(lambda: ada.services.health[HUB].restarts >= 6)
            await between.up()
            back = time.monotonic()
            await whole(hub, ada, bob)
            assert time.monotonic() - back < BACK_WITHIN_S
            await stop(ada)

    within_patience(scenario)


def test_a_server_that_accepts_and_says_nothing_is_joined_within_ten_seconds_of_its_return(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, wire.laid(hub.port) as between:
            between.go_deaf()
            ada = Seat(at(between.port), person("Ada"), longest_delay_s=ROOM_RETRY_S)
            await until(lambda: ada.services.health[HUB].restarts >= 1)
            between.hear_again()
            back = time.monotonic()
            await ada.sees("Ada")
            assert time.monotonic() - back < BACK_WITHIN_S
            await stop(ada)

    within_patience(scenario)


def test_a_half_open_connection_is_closed_by_force_and_leaves_no_task_and_no_descriptor(tmp_path: Path) -> None:
    def running() -> tuple[set[asyncio.Task[object]], int]:
        return asyncio.all_tasks(), psutil.Process().num_fds()

    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, wire.laid(hub.port) as between:
            before = running()
            for _ in range(3):
                async with open_line(at(between.port), TOPIC, "ada", print) as line:
                    await line.join(lambda: None, lambda _: None)
                    await line.track({"name": "Ada"})
                    between.go_deaf()
                between.hear_again()
                while running() != before:  # noqa: ASYNC110  the hub's and the wire's take a moment
                    await asyncio.sleep(0.01)

    within_patience(scenario)


def test_a_callback_that_raises_ends_the_connection_instead_of_its_ears(tmp_path: Path) -> None:
    async def scenario() -> None:
        counted: list[str] = []

        def raising(_message: object) -> None:
            raise KeyError("a bug")

        async with (
            live_hub(tmp_path) as hub,
            seated(at(hub.port), "Bob") as (bob,),
            open_line(at(hub.port), TOPIC, "ada", counted.append) as line,
        ):
            await line.join(lambda: None, raising)
            bob.room.change("tempo", 60)
            assert await line.failed == "a message could not be read"
        assert counted == ["unexpected"]

    within_patience(scenario)


@pytest.mark.parametrize("with_reason", [True, False])
def test_a_channel_closed_by_a_rate_limit_is_joined_and_tracked_anew(*, with_reason: bool) -> None:
    reason = {"status": "error", "extension": "system", "message": "Too many messages per second", "channel": TOPIC}

    async def scenario() -> None:
        hub = HostileHub(TOPIC)
        async with hub.listening() as port:
            ada = Seat(at(port), person("Ada"))
            await ada.sees("Ada")
            if with_reason:
                await hub.say("system", reason)
            await hub.say("phx_close", {})
            await ada.goes("reconnecting")
            await ada.sees("Ada")
            assert (hub.connections, hub.tracks()) == (2, 2)
            said = ada.services.health[HUB].last_error
            assert said == ("the room refuses: Too many messages per second" if with_reason else "the room is closed")
            await stop(ada)

    within_patience(scenario)


def test_a_hub_that_flaps_gets_five_presences_in_half_a_minute_at_most() -> None:
    async def scenario() -> None:
        hub = HostileHub(TOPIC)
        async with hub.listening() as port:
            ada = Seat(at(port), person("Ada"))
            for _ in range(5):
                await ada.sees("Ada")
                await hub.say("phx_close", {})
                await ada.goes("reconnecting")
            await until(lambda: hub.connections >= 6)
            assert hub.tracks() == 5
            await stop(ada)

    within_patience(scenario)


def test_who_leaves_and_comes_again_at_once_has_the_same_key_and_is_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, seated(at(hub.port), "Bob") as (bob,):
            who = person("Ada", 1)
            ada = Seat(at(hub.port), who)
            for _ in range(5):
                await bob.sees("Ada", "Bob")
                await stop(ada)
                ada = Seat(at(hub.port), who)
            await ada.sees("Ada", "Bob")
            assert ada.services.health[HUB].restarts == 0
            await stop(ada)

    within_patience(scenario)


def test_what_is_said_while_away_is_dropped_and_not_said_late(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with jam(tmp_path) as (_, between, ada, bob):
            await between.down()
            await ada.goes("reconnecting")
            for number in range(300):
                ada.room.say(Signal(SignalType.BYE, PeerId("bob"), PeerId("ada"), f"stale {number}", {}))
            assert ada.room.dropped["away"] >= 300
            await between.up()
            await ada.goes("connected")
            fresh = Signal(SignalType.BYE, PeerId("bob"), PeerId("ada"), "fresh", {})
            ada.room.say(fresh)
            assert await bob.room.signals.get() == fresh

    within_patience(scenario)


def test_what_was_changed_alone_is_in_force_at_everyone_when_the_room_is_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, wire.laid(hub.port) as between, seated(at(hub.port), "Bob") as (bob,):
            await between.down()
            ada = Seat(at(between.port), person("Ada", 1))
            ada.room.change("tempo", 88)
            assert (ada.room.state.value.tempo, ada.room.view.value.connection) == (88, "disconnected")
            await between.up()
            await bob.plays_at(88)
            assert ada.room.state.value.tempo == 88
            await stop(ada)

    within_patience(scenario)


def test_after_the_hubs_restart_everybody_is_back_and_the_host_is_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub:
            port = hub.port
            ada, bob = Seat(at(port), person("Ada")), Seat(at(port), person("Bob", 1))
            for seat in (ada, bob):
                await seat.sees("Ada", "Bob")
                await seat.until(lambda view: view.host is not None)
            host = ada.room.view.value.host
            assert host is not None
        lost: list[int] = []
        await bob.goes("reconnecting")
        async with live_hub(tmp_path, port=port):
            while (view := bob.room.view.value).connection != "connected":
                lost.append(len(view.members))
                await bob.room.view.changed(view)
            for seat in (ada, bob):
                await seat.sees("Ada", "Bob")
                await seat.hosted_by(host)
            assert set(lost) == {2}, "who was there is awaited, not forgotten"
            await stop(ada, bob)

    within_patience(scenario)


@asynccontextmanager
async def hosted(place: Path) -> AsyncIterator[tuple[HubServer, Wire, Seat, Seat]]:
    """Ada, who hosts, behind a wire, Bob beside the hub."""
    async with live_hub(place) as hub, wire.laid(hub.port) as between, seated(at(between.port), "Ada") as (ada,):
        bob = Seat(at(hub.port), person("Bob", 1))
        await ada.sees("Ada", "Bob")
        await bob.hosted_by("ada")
        try:
            yield hub, between, ada, bob
        finally:
            await stop(bob)


def test_a_host_whose_connection_is_cut_for_two_seconds_stays_the_host_at_everyone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosted(tmp_path) as (hub, between, ada, bob), Member.joined(hub, "listener") as listener:
            for _ in range(2):
                await between.down()
                await bob.sees("Bob")
                assert bob.room.view.value.host == "ada"
                await asyncio.sleep(2)  # the cut
                await between.up()
                await whole(hub, ada, bob)
            assert (ada.room.view.value.host, bob.room.view.value.host) == ("ada", "ada")
            await stop(ada)
            assert await listener.heard("host-change") == {"hostId": "bob", "standing": 1, "fromPeerId": "ada"}

    within_patience(scenario)


def test_a_host_that_does_not_come_back_is_replaced_and_follows_when_it_does(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosted(tmp_path) as (hub, between, ada, bob):
            await between.down()
            await bob.hosted_by("bob")
            await between.up()
            await ada.hosted_by("bob")
            await whole(hub, ada, bob)
            assert bob.room.view.value.host == "bob"

    within_patience(scenario)
