import asyncio
import socket
from collections.abc import Iterator

import pytest

from jambridge.audio.card import wire
from jambridge.audio.card.control import Channel, ChannelReport, PlaybackReport
from jambridge.audio.card.desk import MOST_CHANNELS, MOST_FADERS, Desk, Fader
from jambridge.units import LocalSeconds, PeerId

NOW = LocalSeconds(1.0)
ANN, BOB = PeerId("ann-1"), PeerId("bob-1")


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(master_volume=0.8)
    yield desk
    desk.close()


def channels(desk: Desk) -> tuple[Channel, ...]:
    return desk.settings.value.channels


def report(slot: int, generation: int) -> ChannelReport:
    return ChannelReport(slot, generation, -20.0, 20.0, 20.0, 1.0, 0, 0, 0, 0, 0.0, 0.0, 0, 0.0)


def test_each_peer_has_a_channel_of_its_own_until_there_is_none_left(desk: Desk) -> None:
    opened = [desk.open(PeerId(str(number)), f"Player {number}") for number in range(MOST_CHANNELS + 1)]

    assert opened[-1] is None
    assert [channel.slot for channel in channels(desk)] == list(range(MOST_CHANNELS))


def test_a_place_that_is_used_again_has_another_generation(desk: Desk) -> None:
    first = desk.open(ANN, "Ann")
    assert first is not None
    first.close()
    assert channels(desk) == ()

    second = desk.open(ANN, "Ann")
    assert second is not None
    assert second.slot == first.slot
    assert second.generation > first.generation

    first.close()
    assert channels(desk) == (Channel(second.slot, second.generation),)


def test_packets_reach_the_output_with_whose_they_are(desk: Desk) -> None:
    channel = desk.open(ANN, "Ann")
    assert channel is not None
    channel.put(7, 65_535, 4_294_967_295, b"opus", NOW)

    packet = wire.heard(desk.far.recv(wire.MAX_BYTES))
    assert (packet.slot, packet.generation) == (channel.slot, channel.generation)
    assert (packet.stream, packet.sequence, packet.timestamp, packet.payload) == (7, 65_535, 4_294_967_295, b"opus")


def test_what_nobody_takes_is_dropped_and_counted_without_waiting(desk: Desk) -> None:
    channel = desk.open(ANN, "Ann")
    assert channel is not None
    for number in range(20_000):
        channel.put(1, number & 0xFFFF, 0, bytes(200), NOW)

    assert 10_000 < channel.dropped < 20_000
    desk.close()
    channel.put(1, 0, 0, b"after the end", NOW)


def test_a_fader_belongs_to_the_name_and_outlives_the_player(desk: Desk) -> None:
    channel = desk.open(ANN, "Ann")
    assert channel is not None
    desk.set_fader("Ann", Fader(0.5, is_muted=True))
    assert channels(desk) == (Channel(0, 1, 0.5, is_muted=True),)

    channel.close()
    desk.open(BOB, "Bob")
    desk.open(PeerId("ann-2"), "Ann")
    assert [(one.gain, one.is_muted) for one in channels(desk)] == [(1.0, False), (0.5, True)]


def test_only_so_many_names_are_remembered(desk: Desk) -> None:
    for number in range(MOST_FADERS + 5):
        desk.set_fader(f"Player {number}", Fader(0.5))
    desk.set_fader("Player 10", Fader(0.7))

    assert len(desk.faders) == MOST_FADERS
    assert "Player 0" not in desk.faders
    assert list(desk.faders)[-1] == "Player 10"


def test_the_master_changes_what_is_given_and_nothing_else(desk: Desk) -> None:
    desk.set_master(0.3)
    desk.set_master(is_muted=True)

    assert (desk.settings.value.master_volume, desk.settings.value.is_muted) == (0.3, True)


def test_whoever_awaits_the_settings_is_told_of_a_change(desk: Desk) -> None:
    async def scenario() -> None:
        before = desk.settings.value
        waiting = asyncio.create_task(desk.settings.changed(before))
        await asyncio.sleep(0)
        desk.set_master(0.1)
        assert (await waiting).master_volume == 0.1

    asyncio.run(scenario())


def test_a_peer_is_found_in_a_report_by_its_place_and_generation(desk: Desk) -> None:
    first = desk.open(ANN, "Ann")
    assert first is not None
    first.close()
    second = desk.open(BOB, "Bob")
    assert second is not None

    old = PlaybackReport(channels=(report(first.slot, first.generation),))
    new = PlaybackReport(channels=(report(second.slot, second.generation),))
    assert desk.playing(BOB, old) is None
    assert desk.playing(BOB, new) == new.channels[0]
    assert desk.playing(ANN, new) is None


def test_the_output_can_be_read_without_waiting(desk: Desk) -> None:
    with pytest.raises(BlockingIOError):
        desk.far.recv(wire.MAX_BYTES, socket.MSG_DONTWAIT)
