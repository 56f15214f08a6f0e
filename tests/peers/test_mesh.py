"""Real meshes over real sockets, with the room in memory between them."""

import asyncio
import dataclasses
from collections.abc import Iterable

import pytest

from jambridge.audio.feed import Feeds
from jambridge.peers.mesh import open_mesh
from jambridge.peers.negotiation import RESEND_AFTER_S
from jambridge.peers.peer import Surroundings
from jambridge.peers.status import PeerState
from jambridge.room.messages import Participant, Signal, SignalType
from jambridge.units import PeerId
from tests.fakes.switch import Switch, member
from tests.fakes.waiting import until


def offers_of(switch: Switch, peer: str) -> list[Signal]:
    return [signal for signal in switch.sent if signal.type is SignalType.OFFER and signal.sender == peer]


def test_what_one_plays_the_other_hears_and_a_bye_ends_it() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "listener") as listener:
            async with member(switch, "player", 440):
                await until(lambda: listener.hears("player", 440))
                (status,) = listener.mesh.peers()
                assert (status.state, status.connection, status.path) == (PeerState.CONNECTED, "completed", "host")
                assert status.level_dbfs == pytest.approx(-9, abs=1)
                assert status.loss < 0.1
                (ear,) = listener.ears[PeerId("player")]
            await until(lambda: ear.closed)
            assert listener.mesh.peers() == []
            assert switch.sent[-1].type is SignalType.BYE

    asyncio.run(scenario())


def test_three_play_and_everyone_hears_everyone() -> None:
    tones = {"a": 440.0, "b": 660.0, "c": 1000.0}

    async def scenario() -> None:
        switch = Switch()
        async with (
            member(switch, "a", tones["a"]) as a,
            member(switch, "b", tones["b"]) as b,
            member(switch, "c", tones["c"]) as c,
            member(switch, "d") as d,
        ):
            for who in (a, b, c, d):
                for peer, frequency_hz in tones.items():
                    if peer != who.id:
                        await until(lambda who=who, peer=peer, hz=frequency_hz: who.hears(peer, hz))  # type: ignore[misc]
            assert [len(who.mesh.peers()) for who in (a, b, c, d)] == [3, 3, 3, 3]
            assert all(len(ears) == 1 for ears in d.ears.values())

    asyncio.run(scenario())


def test_a_lost_offer_is_sent_again() -> None:
    async def scenario() -> None:
        switch = Switch(lambda signal: [signal] if len(switch.sent) > 1 else [])
        async with member(switch, "a") as listener, member(switch, "b", 440):
            await until(lambda: listener.hears("b", 440))
            first, second = offers_of(switch, "a")
            assert first == second

    asyncio.run(scenario())


def test_an_offer_made_while_the_room_was_away_is_said_once_it_is_back() -> None:
    async def scenario() -> None:
        switch = Switch()
        switch.is_away = True
        async with member(switch, "a") as listener, member(switch, "b", 440):
            await until(lambda: switch.dropped > 0)
            switch.is_away = False
            back_at = asyncio.get_running_loop().time()
            await until(lambda: listener.hears("b", 440))
            assert asyncio.get_running_loop().time() - back_at < RESEND_AFTER_S[0]
            assert len(offers_of(switch, "a")) == 1

    asyncio.run(scenario())


def test_crossing_offers_leave_the_lower_ids() -> None:
    held: list[Signal] = []

    def hold_until_both_offered(signal: Signal) -> Iterable[Signal]:
        if len({offer.sender for offer in held}) == 2:
            return [signal]
        held.append(signal)
        return held if len({offer.sender for offer in held}) == 2 else []

    async def scenario() -> None:
        switch = Switch(hold_until_both_offered)
        async with member(switch, "a") as listener, member(switch, "b", 440) as player:
            await until(lambda: listener.hears("b", 440))
            await until(lambda: [status.state for status in player.mesh.peers()] == [PeerState.CONNECTED])
            answers = [signal for signal in switch.sent if signal.type is SignalType.ANSWER]
            assert {answer.sender for answer in answers} == {"b"}

    asyncio.run(scenario())


def test_silence_brings_a_second_connection_and_the_sink_outlives_the_first() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "a") as listener, member(switch, "b", 440) as player:
            await until(lambda: listener.hears("b", 440))
            player.plays = False
            await until(lambda: listener.mesh.peers()[0].state is PeerState.RECONNECTING)
            await until(lambda: len({offer.connection for offer in offers_of(switch, "a")}) == 2)
            before = listener.ears[PeerId("b")][0].frames
            player.plays = True
            await until(lambda: listener.ears[PeerId("b")][0].frames > before + 48_000)
            await until(lambda: listener.hears("b", 440))
            assert listener.mesh.peers()[0].state is PeerState.CONNECTED
            byes = [signal.connection for signal in switch.sent if signal.type is SignalType.BYE]
            assert set(byes) == {offers_of(switch, "a")[0].connection}
            assert len(listener.ears[PeerId("b")]) == 1

    asyncio.run(scenario())


def test_a_hub_that_forgets_everyone_for_a_moment_interrupts_nothing() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "a") as listener, member(switch, "b", 440) as player:
            await until(lambda: listener.hears("b", 440))
            who = next(who for who in listener.mesh._members.value if who.id == "b")
            switch.leave(PeerId("b"))
            frames = listener.ears[PeerId("b")][0].frames
            await until(lambda: listener.ears[PeerId("b")][0].frames > frames + 48_000)
            switch._members[who.id] = who
            switch._tell()
            await until(lambda: listener.hears("b", 440))
            assert len(switch.sent) == 2
            assert len(listener.ears[PeerId("b")]) == 1
            assert len(player.mesh.peers()) == 1

    asyncio.run(scenario())


def test_a_member_cut_off_from_room_and_sound_is_heard_on_the_same_connection_when_its_cable_is_back() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "a") as listener, member(switch, "b", 440) as player:
            await until(lambda: listener.hears("b", 440))
            player.plays = False
            await until(lambda: listener.mesh.peers()[0].state is PeerState.RECONNECTING)
            switch.leave(PeerId("b"))
            await until(lambda: listener.mesh._partners[PeerId("b")].missing_since is not None)
            frames = listener.ears[PeerId("b")][0].frames
            player.plays = True
            await until(lambda: listener.ears[PeerId("b")][0].frames > frames + 48_000)
            assert {signal.connection for signal in switch.sent} == {offers_of(switch, "a")[0].connection}

    asyncio.run(scenario())


def test_a_listener_who_is_back_as_a_player_is_heard() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "a") as listener, member(switch, "b"):
            await until(lambda: [status.state for status in listener.mesh.peers()] == [PeerState.CONNECTED])
            async with member(switch, "b", 440):
                await until(lambda: listener.hears("b", 440))
                assert len(listener.mesh.peers()) == 1

    asyncio.run(scenario())


def test_a_peer_that_stops_being_a_partner_is_let_go() -> None:
    async def scenario() -> None:
        switch = Switch()
        async with member(switch, "a", 440, max_peers=1) as first:
            async with member(switch, "b", 660, max_peers=1):
                await until(lambda: first.hears("b", 660))
                async with member(switch, "c", 880, max_peers=1) as third:
                    await until(lambda: first.hears("b", 660))
                    assert third.mesh.peers() == []
            async with member(switch, "d", 990, max_peers=1):
                await until(lambda: first.hears("d", 990))
            assert [ear.closed for ear in first.ears[PeerId("b")]] == [True]

    asyncio.run(scenario())


def test_a_player_who_finds_every_place_taken_is_given_one_that_becomes_free() -> None:
    async def scenario() -> None:
        switch = Switch()
        members, signals = switch.join(Participant(PeerId("a"), "a", is_host=False, joined_at=0, sends=False))
        feeds = Feeds(1)
        held = feeds.open(PeerId("gone"), "gone")
        assert held is not None
        async with open_mesh(Surroundings(PeerId("a"), switch.send, feeds.open), members, signals, 3) as mesh:
            running = asyncio.create_task(mesh.run())
            async with member(switch, "b", 440):
                await until(lambda: [status.state for status in mesh.peers()] == [PeerState.CONNECTED])
                assert [source.name for source in feeds.sources.value] == ["gone"]
                held.close()
                await until(lambda: [source.name for source in feeds.sources.value] == ["b"])
            await until(lambda: feeds.sources.value == ())
            running.cancel()

    asyncio.run(scenario())


def test_a_signal_from_nobody_is_counted_and_one_without_a_sender_is_matched_to_the_only_partner() -> None:
    def anonymous(signal: Signal) -> Iterable[Signal]:
        stranger = Signal(signal.type, signal.target, PeerId("stranger"), signal.connection, signal.data)
        return [stranger, Signal(signal.type, signal.target, None, signal.connection, signal.data)]

    async def scenario() -> None:
        switch = Switch(anonymous)
        async with member(switch, "a") as listener, member(switch, "b", 440):
            await until(lambda: listener.hears("b", 440))
            assert listener.mesh.drops.unknown_sender >= 1

    asyncio.run(scenario())


def unnamed(signal: Signal) -> Iterable[Signal]:
    """An older app does not say who it is."""
    return [dataclasses.replace(signal, sender=None) if signal.sender == "older" else signal]


def test_a_signal_without_a_sender_is_of_the_only_older_app_among_several_partners() -> None:
    async def scenario() -> None:
        switch = Switch(unnamed)
        async with (
            member(switch, "a", client="jambridge/1.0.0") as listener,
            member(switch, "b", 440, client="jam-page/1.0.0") as player,
            member(switch, "older", 660),
        ):
            await until(lambda: listener.hears("older", 660) and listener.hears("b", 440))
            await until(lambda: player.hears("older", 660))

    asyncio.run(scenario())


def test_a_signal_without_a_sender_is_of_nobody_where_two_may_be_older_apps() -> None:
    async def scenario() -> None:
        switch = Switch(unnamed)
        async with member(switch, "a") as listener, member(switch, "b", 440), member(switch, "older", 660) as older:
            await until(lambda: listener.hears("b", 440) and listener.mesh.drops.unknown_sender > 0)
            assert {status.id: status.state for status in older.mesh.peers()}[PeerId("a")] is PeerState.DISCONNECTED

    asyncio.run(scenario())


def test_leaving_is_quick_even_while_connecting() -> None:
    async def scenario() -> None:
        switch = Switch(lambda _: [])
        async with member(switch, "a", 440) as first, member(switch, "b", 660):
            await until(lambda: len(switch.sent) > 0)
            first.task.cancel()
            async with asyncio.timeout(5):
                await asyncio.wait([first.task])
        assert any(signal.type is SignalType.BYE and signal.sender == "a" for signal in switch.sent)

    asyncio.run(scenario())
