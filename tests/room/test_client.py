"""Two supervised members against a real hub, over real sockets."""

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from jambridge.edges import Latest
from jambridge.errors import LinkError, OccupiedError, Text, UnavailableError, WireError
from jambridge.hub.server import HubServer
from jambridge.room import line, messages
from jambridge.room.client import open_room
from jambridge.room.edges import HUB, SUPABASE, Address, RoomEdges
from jambridge.room.messages import Broadcast, Signal, SignalType
from jambridge.units import PeerId
from tests.fakes.hostile_hub import HostileHub
from tests.fakes.waiting import until
from tests.hub.live import live_hub
from tests.room.live import TOPIC, Seat, at, person, seated, stop, within_patience

ADA = PeerId("ada")


def run(scenario: Callable[[HubServer], Awaitable[None]], place: Path) -> None:
    async def with_hub() -> None:
        async with live_hub(place) as hub:
            await scenario(hub)

    within_patience(with_hub)


def where(hub: HubServer) -> Latest[Address | None]:
    return Latest(at(hub.port))


def signal(target: str = "bob", sender: str = "ada") -> Signal:
    return Signal(SignalType.BYE, PeerId(target), PeerId(sender), "c1", {})


def test_members_see_each_other_and_the_first_is_the_host(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(at(hub.port), "Ada", "Bob") as (ada, bob):
            assert [m.is_host for m in bob.room.view.value.members] == [True, False], "presence says it too"
            await ada.services.stop()
            await bob.sees("Bob")
            await bob.hosted_by("bob")

    run(scenario, tmp_path)


def test_four_players_and_others_who_watch_sit_in_one_room_whatever_their_names(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        seats = [Seat(at(hub.port), person(f"p{number}", number / 1000)) for number in range(7)]
        twin = Seat(at(hub.port), messages.Participant(PeerId("twin"), "p1", is_host=False, joined_at=time.time()))
        for seat in (*seats, twin):
            await seat.until(lambda view: len(view.members) == 8)
        assert [member.name for member in twin.room.members.value].count("p1") == 2
        await stop(*seats, twin)

    run(scenario, tmp_path)


def test_a_hub_that_is_stopped_is_said_to_be_gone_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            async with live_hub(tmp_path) as hub:
                (ada,) = await stack.enter_async_context(seated(at(hub.port), "Ada"))
            await ada.goes("reconnecting")
            await until(lambda: "cannot be reached" in str(ada.services.health[HUB].last_error))

    with caplog.at_level(logging.INFO):
        within_patience(scenario)
    said = [record.getMessage() for record in caplog.records if record.name == "jambridge.supervise"]
    assert said == [f"{line.HUB_GONE} name={HUB}"]


def test_a_signal_reaches_the_one_it_is_for(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(at(hub.port), "Ada", "Bob", "Cy") as (ada, bob, cy):
            said = Signal(SignalType.OFFER, PeerId("bob"), ADA, "c1", {"type": "offer", "sdp": "v=0"})
            ada.room.say(said)
            assert await bob.room.signals.get() == said
            assert cy.room.signals.refused == 0

    run(scenario, tmp_path)


def test_a_change_is_in_force_at_everyone_and_a_newcomer_hears_of_it(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(at(hub.port), "Ada", "Bob") as (ada, bob):
            bob.room.change("tempo", 93)
            await ada.plays_at(93)
            cy = Seat(at(hub.port), person("Cy"))
            await cy.plays_at(93)
            await stop(cy)

    run(scenario, tmp_path)


def test_of_several_changes_with_one_that_cannot_be_none_is_made() -> None:
    room = RoomEdges(ADA)
    with pytest.raises(WireError):
        room.change_all({"tempo": 99, "key": "H"})
    assert room.state.value.tempo == 120
    room.change_all({"tempo": 99, "key": "D"})
    assert (room.state.value.tempo, room.state.value.key) == (99, "D")
    assert room.dropped == {"away": 2}, "nobody is there to hear it"


def test_hostile_signals_are_counted_and_the_room_goes_on(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(at(hub.port), "Ada", "Bob") as (ada, bob):
            for payload in (
                {"targetPeerId": "bob", "type": "nonsense"},
                {"targetPeerId": "bob", "type": "offer", "data": "x"},
                {"targetPeerId": "bob", "type": "offer", "data": {"sdp": "x" * 40_000}},
                {"targetPeerId": ["bob"]},
                {},
            ):
                ada.room.broadcast(Broadcast(messages.SIGNAL_EVENT, payload))
            ada.room.say(signal())
            assert await bob.room.signals.get() == signal()
            assert bob.room.dropped == {"malformed": 2, "too-large": 1}

    run(scenario, tmp_path)


def test_nonsense_about_the_state_is_counted_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(at(hub.port), "Ada", "Bob") as (ada, bob):
            for event, payload in (
                ("playback-control", {"isPlaying": 3, "revision": 1}),
                ("key-change", {"key": ["C"], "revision": 1}),
                ("state-sync", {"state": 7, "stamps": []}),
                ("scale-change", {"scale": "x" * 20_000, "revision": 1}),
                ("solo", {"tempo": 60}),
            ):
                ada.room.broadcast(Broadcast(event, payload))
            ada.room.change("tempo", 77)
            await bob.plays_at(77)
            assert bob.room.state.value.key == "C"
            assert bob.room.dropped["malformed"] == 3
            assert bob.room.dropped["too-large"] == 1

    run(scenario, tmp_path)


def test_one_who_floods_is_slowed_down_and_nobody_leaves(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(at(hub.port), "Ada", "Bob") as (ada, bob):
            for _ in range(300):
                ada.room.say(signal())
            for _ in range(40):
                assert await bob.room.signals.get() == signal()
            assert ada.room.dropped["outbox-full"] >= 300 - 256 - 40
            assert bob.room.view.value.connection == ada.room.view.value.connection == "connected"

    run(scenario, tmp_path)


def test_signals_beyond_what_can_be_followed_are_dropped_and_nobody_leaves(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(at(hub.port), "Ada", "Bob") as (ada, bob):
            while bob.room.signals.offer(signal()):
                pass
            ada.room.say(signal())
            ada.room.change("tempo", 77)
            await bob.plays_at(77)
            assert bob.room.dropped["overflow"] == 1
            assert bob.services.health["hub"].restarts == 0

    run(scenario, tmp_path)


def test_a_room_that_must_exist_and_does_not_is_unavailable(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        began = time.monotonic()
        with pytest.raises(UnavailableError, match=Text.NOT_FOUND):
            async with open_room(where(hub), TOPIC, person("Ada"), RoomEdges(ADA), must_exist=True):
                pass
        assert time.monotonic() - began >= 2, "others may be on their way back to a hub that has just started"

    run(scenario, tmp_path)


def test_a_room_that_must_exist_exists_while_its_session_is_stored(tmp_path: Path) -> None:
    async def was_stored() -> bool:
        return True

    async def scenario(hub: HubServer) -> None:
        room = RoomEdges(ADA)
        async with open_room(where(hub), TOPIC, person("Ada"), room, must_exist=True, was_stored=was_stored):
            assert room.view.value.connection == "connected"

    run(scenario, tmp_path)


def test_a_new_room_is_nobodys(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        ada = Seat(at(hub.port), person("Ada"), must_be_empty=True)
        await ada.sees("Ada")
        with pytest.raises(OccupiedError):
            async with open_room(where(hub), TOPIC, person("Bob"), RoomEdges(PeerId("bob")), must_be_empty=True):
                pass
        await stop(ada)

    run(scenario, tmp_path)


def test_the_eleventh_member_is_told_that_the_session_is_full(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(at(hub.port), *(f"M{number}" for number in range(10))):
            with pytest.raises(LinkError, match=f"^{Text.FULL}$"):
                async with open_room(where(hub), TOPIC, person("Eleventh"), RoomEdges(PeerId("eleventh"))):
                    pass

    run(scenario, tmp_path)


def test_a_key_in_use_is_told_apart_from_a_full_session(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        async with seated(at(hub.port), "Ada"):
            with pytest.raises(LinkError, match=f"^{line.KEY_IN_USE}$"):
                async with open_room(where(hub), TOPIC, person("Ada"), RoomEdges(ADA)):
                    pass

    run(scenario, tmp_path)


def test_where_no_hub_listens_is_said_in_a_sentence() -> None:
    async def scenario() -> None:
        nowhere: Latest[Address | None] = Latest(at(9))
        with pytest.raises(LinkError, match="http://127.0.0.1:9 cannot be reached"):
            async with open_room(nowhere, TOPIC, person("Ada"), RoomEdges(ADA)):
                pass

    within_patience(scenario)


def test_a_presence_that_the_library_cannot_merge_is_survived() -> None:
    """A foreign hub: `presence_ref` in a payload ends the client library's listening, while its heartbeat goes on."""
    metas = [{"phx_ref": "1", "name": "x", "presence_ref": ["x"]}]

    async def scenario() -> None:
        hub = HostileHub(TOPIC)
        async with hub.listening() as port:
            elsewhere: Latest[Address | None] = Latest(at(port))
            async with open_room(elsewhere, TOPIC, person("Ada"), RoomEdges(ADA)) as seat:
                await hub.say("presence_diff", {"joins": {"x": {"metas": metas}}, "leaves": {}})
                await hub.say("presence_diff", {"joins": {}, "leaves": {"x": {"metas": metas}}})
                with pytest.RaisesGroup(pytest.RaisesExc(LinkError, match="stopped listening")):
                    await seat.run()

    within_patience(scenario)


def test_over_hosted_supabase_who_is_no_member_and_who_claims_to_be_us_changes_nothing() -> None:
    async def scenario() -> None:
        hub = HostileHub(TOPIC)
        async with hub.listening() as port:
            ada = Seat(at(port), person("Ada"), SUPABASE)
            await ada.sees("Ada")
            metas = [{"phx_ref": "1", "name": "Bob", "joinedAt": "2026-01-01"}]
            await hub.say("presence_diff", {"joins": {"bob": {"metas": metas}}, "leaves": {}})
            await ada.sees("Ada", "Bob")
            for sender, tempo in (("mallory", 60), ("ada", 61), ({"not": "an id"}, 62), ("bob", 63)):
                change = {"tempo": tempo, "revision": tempo, "fromPeerId": sender}
                await hub.say("broadcast", {"type": "broadcast", "event": "tempo-change", "payload": change})
            await ada.plays_at(63)
            assert (ada.room.dropped["stranger"], ada.room.dropped["spoofed"]) == (2, 1)
            await stop(ada)

    within_patience(scenario)


def test_of_a_crowd_that_no_hub_of_ours_admits_64_are_seen_and_we_among_them() -> None:
    async def scenario() -> None:
        hub = HostileHub(TOPIC)
        async with hub.listening() as port:
            ada = Seat(at(port), person("Ada"))
            await ada.sees("Ada")
            crowd = {f"m{number}": {"metas": [{"phx_ref": str(number), "name": "m"}]} for number in range(5000)}
            await hub.say("presence_diff", {"joins": crowd, "leaves": {}})
            view = await ada.until(lambda view: len(view.members) > 1)
            assert len(view.members) == 64
            assert ADA in {member.id for member in view.members}
            await stop(ada)

    within_patience(scenario)
