from typing import Any

import pytest

from jambridge.config import AudioConfig, LightConfig
from jambridge.latency import compose
from jambridge.latency.budget import Basis, Kind, Verdict, Way
from tests.latency.statuses import peer, status


def ways(now: dict[str, Any], packets: int = 400, passed_s: float = 2.0, **audio: Any) -> dict[tuple[Kind, str], Way]:
    """Of a status before which each peer had sent so many packets fewer."""
    before = status(*(one | {"packets": one["packets"] - packets} for one in now["audio"]["peers"]))
    found = compose.ways(before, now, passed_s, AudioConfig(**audio), LightConfig())
    return {(way.kind, way.who): way for way in found}


def stages(way: Way) -> dict[str, float | None]:
    return {stage.name: stage.ms for stage in way.stages}


def test_each_musician_is_a_way_in_and_a_way_out() -> None:
    found = ways(status(peer("Anna"), peer("Ben")))

    assert list(found) == [
        (Kind.HEARD, "Anna"),
        (Kind.SENT, "Anna"),
        (Kind.HEARD, "Ben"),
        (Kind.SENT, "Ben"),
    ]


def test_what_is_heard_takes_packet_network_buffer_and_card() -> None:
    way = ways(status(peer()))[Kind.HEARD, "Anna"]

    assert stages(way) == {"packet": 7.5, "network": 0.4, "jitter buffer": 6.1, "playout": 8.0}
    assert way.sum_ms == pytest.approx(22.0)
    assert way.is_whole
    assert way.verdict is Verdict.GOOD


def test_what_is_sent_is_known_as_far_as_the_network() -> None:
    way = ways(status(peer()))[Kind.SENT, "Anna"]

    assert stages(way) == {"capture": 8.0, "packet": 6.0, "network": 0.4}
    assert way.beyond == (compose.THEIR_PLAYOUT, compose.THEIR_CARD)


@pytest.mark.parametrize(("packets", "length_ms"), [(800, 2.5), (390, 5), (205, 10), (100, 20), (33, 60)])
def test_the_length_of_their_packets_is_told_by_their_number(packets: int, length_ms: float) -> None:
    (packet, *_) = ways(status(peer()), packets)[Kind.HEARD, "Anna"].stages

    assert packet.ms == length_ms + 2.5
    assert packet.basis is Basis.MEASURED


@pytest.mark.parametrize(("block", "added_ms"), [(128, 6.0), (240, 2.5), (64, 6.667), (1, 7.479)])
def test_a_packet_fills_while_the_card_fills_its_block(block: int, added_ms: float) -> None:
    assert compose.packet_ms(240, block) == pytest.approx(added_ms, abs=0.001)


@pytest.mark.parametrize(("packet", "block"), [(240, 128), (480, 64), (240, 480), (240, 100)])
def test_what_a_packet_adds_is_what_its_samples_wait(packet: int, block: int) -> None:
    """Sample n is handed over in turn with its block's first, of block n // block; its packet is sent with its last."""
    begins = range(0, packet * block, packet)
    sent = [(begin + packet - 1) // block * block for begin in begins]
    waited = [there - begin for begin, there in zip(begins, sent, strict=True)]

    assert compose.packet_ms(packet, block) == pytest.approx(sum(waited) / len(waited) / 48 + compose.LOOKAHEAD_MS)


def test_who_sends_nothing_has_no_packets_to_measure() -> None:
    way = ways(status(peer()), packets=3)[Kind.HEARD, "Anna"]

    assert stages(way)["packet"] is None
    assert not way.is_whole


def test_a_network_not_measured_is_said_and_not_counted() -> None:
    way = ways(status(peer(latency_ms={"network": None, "playout": 6.1})))[Kind.HEARD, "Anna"]

    network = way.stage("network")
    assert network is not None
    assert (network.ms, network.basis) == (None, Basis.UNKNOWN)
    assert way.sum_ms == pytest.approx(21.6)
    assert not way.is_whole


def test_a_driver_that_forgets_its_blocks_counts_as_one() -> None:
    way = ways(status(peer(), output={"latency_ms": 0.0}), block_frames=240)[Kind.HEARD, "Anna"]

    playout = way.stage("playout")
    assert playout is not None
    assert (playout.ms, playout.basis) == (5.0, Basis.CONFIGURED)


def test_a_box_that_only_listens_sends_nothing() -> None:
    assert list(ways(status(peer(), sends=False))) == [(Kind.HEARD, "Anna")]


def test_the_light_counts_where_a_strip_is_driven() -> None:
    found = ways(status(peer(), strips=1))

    assert stages(found[Kind.LIGHT, "line-in"]) == {"capture": 8.0, "hearing": 7.0, "frame": pytest.approx(8.33, 0.01)}
    assert stages(found[Kind.LIGHT, "Anna"]) == {
        "packet": 5.0,  # half of 5 ms, and the encoder's look-ahead
        "network": 0.4,
        "hearing": 7.0,
        "frame": pytest.approx(8.33, 0.01),
    }


def test_together_the_light_waits_for_the_other_rooms() -> None:
    now = status(peer(), strips=1)
    now["light"]["delay_ms"] = 58.3

    found = ways(now)

    assert stages(found[Kind.LIGHT, "Anna"])["other rooms"] == pytest.approx(58.3 - 5.0 - 0.4 - 7.0)
    assert stages(found[Kind.LIGHT, "line-in"])["other rooms"] == pytest.approx(58.3 - 8.0 - 7.0)


def test_without_cards_or_musicians_there_is_no_way() -> None:
    assert ways(status(input={"card": None}, output={"card": None})) == {}


@pytest.mark.parametrize(
    ("changes", "audio", "remedy"),
    [
        ({"latency_ms": {"network": 1.0, "playout": 45.0}}, {}, "audio.playout: normal → fast"),
        ({"latency_ms": {"network": 1.0, "playout": 45.0}}, {"playout": "safe"}, "audio.playout: safe → normal"),
        ({"latency_ms": {"network": 1.0, "playout": 45.0}}, {"playout": "fast"}, "less jitter"),
        ({"latency_ms": {"network": 90.0, "playout": 5.0}, "path": "relay"}, {}, "another network path than the relay"),
        ({"latency_ms": {"network": 30.0, "playout": 5.0}}, {}, "a cable instead of Wi-Fi"),
        ({"latency_ms": {"network": 1.0, "playout": 5.0}}, {}, "audio.block_frames: 128 → 64"),
        ({"latency_ms": {"network": 1.0, "playout": 5.0}}, {"block_frames": 64}, "name the card itself"),
    ],
)
def test_the_longest_stage_has_a_remedy(changes: dict[str, Any], audio: dict[str, Any], remedy: str) -> None:
    way = ways(status(peer(**changes), output={"latency_ms": 25.0}), **audio)[Kind.HEARD, "Anna"]

    assert way.remedy is not None
    assert remedy in way.remedy
