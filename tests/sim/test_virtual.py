"""The virtual WLED against the facts that were measured of real code."""

import numpy as np
import pytest

from jambridge.light import ddp
from jambridge.light.wled import RELEASE
from jambridge.sim.virtual import Shown, Traits, VirtualWled
from jambridge.units import LocalSeconds
from tests.light.test_e131 import packet as e131_packet

SENDER = "10.0.0.2"


def unit(*outputs: int, rgbw: bool = False) -> VirtualWled:
    virtual = VirtualWled(Traits("test", "020000000001", outputs or (10,), rgbw))
    virtual.advance(LocalSeconds(0))  # its own state
    return virtual


def at(seconds: float) -> LocalSeconds:
    return LocalSeconds(seconds)


def frame(level: int, pixels: int = 10, channels: int = 3) -> list[bytes]:
    return list(ddp.encode(np.full((pixels, channels), level, np.uint8), 0))


def run(virtual: VirtualWled, fps: float, seconds: float, pixels: int, *, pause_s: float = 0.0) -> list[Shown]:
    """Send numbered frames; what is shown."""
    events = []
    for index in range(int(seconds * fps)):
        for place, packet in enumerate(frame(index % 250 + 1, pixels)):
            events.append((10 + index / fps + place * pause_s, packet))
    shown = []
    for when, packet in events:
        while virtual.due() <= when:
            shown.append(virtual.advance(virtual.due()))
        virtual.receive_ddp(packet, SENDER, at(when))
        shown.append(virtual.advance(at(when)))
    return [one for one in shown if one]


def test_a_pushed_frame_is_shown_at_once() -> None:
    virtual = unit()
    (packet,) = frame(7)
    virtual.receive_ddp(packet, SENDER, at(1))

    assert virtual.advance(at(1)) == Shown(at(1), live=True, pixels=bytes([7]) * 30)
    assert (virtual.live, virtual.lip, virtual.lm) == (True, SENDER, "DDP")


def test_until_a_first_push_every_packet_shows_and_then_only_pushes_do() -> None:
    virtual = unit()
    unpushed = b"\x40" + frame(1)[0][1:]
    virtual.receive_ddp(unpushed, SENDER, at(1))
    assert virtual.advance(at(1))

    virtual.receive_ddp(frame(2)[0], SENDER, at(2))
    assert virtual.advance(at(2))

    virtual.receive_ddp(unpushed, SENDER, at(3))
    assert virtual.advance(at(3)) is None

    virtual.receive_ddp(bytes.fromhex("41 00 0b 01 00000000 0000"), SENDER, at(3.1))
    shown = virtual.advance(at(3.1))
    assert shown and shown.pixels == bytes([1]) * 30


def test_it_shows_at_most_once_in_15_ms_and_the_newest_wins() -> None:
    virtual = unit()
    virtual.receive_ddp(frame(1)[0], SENDER, at(1))
    virtual.advance(at(1))
    for level, when in ((2, 1.004), (3, 1.008)):
        virtual.receive_ddp(frame(level)[0], SENDER, at(when))
        assert virtual.advance(at(when)) is None

    assert virtual.due() == pytest.approx(1.015)
    shown = virtual.advance(virtual.due())
    assert shown and shown.pixels[0] == 3


@pytest.mark.parametrize(
    ("outputs", "fps", "least", "most"),
    [
        ((150,), 60, 1.0, 1.0),
        ((600,), 60, 0.85, 0.95),
        ((600,), 49, 1.0, 1.0),
        ((1500,), 60, 0.3, 0.4),
        ((1500,), 19.9, 1.0, 1.0),
        ((375, 375, 375, 375), 60, 1.0, 1.0),
    ],
    ids=str,
)
def test_the_share_of_frames_shown_is_the_measured_one(
    outputs: tuple[int, ...], fps: float, least: float, most: float
) -> None:
    shown = run(unit(*outputs), fps, 4, sum(outputs))

    whole = {one.pixels[0] for one in shown if len(set(one.pixels)) == 1}
    assert least - 0.01 <= len(whole) / (4 * fps) <= most + 0.01


def test_packets_of_a_frame_that_come_apart_tear() -> None:
    shown = run(unit(600), 60, 4, 600, pause_s=0.002)

    assert any(len(set(one.pixels)) > 1 for one in shown)


def test_without_data_its_own_state_returns_after_two_and_a_half_seconds() -> None:
    virtual = unit()
    virtual.receive_ddp(frame(7)[0], SENDER, at(1))
    virtual.advance(at(1))

    assert virtual.due() == 3.5
    shown = virtual.advance(at(3.5))
    assert shown and not shown.live and shown.pixels[:3] == bytes([255, 160, 0])
    assert virtual.lip == ""


def test_a_release_ends_a_stream_at_once() -> None:
    virtual = unit()
    virtual.receive_ddp(frame(7)[0], SENDER, at(1))
    virtual.advance(at(1))

    assert virtual.receive_udp(RELEASE)
    shown = virtual.advance(at(1.02))
    assert shown and not shown.live
    assert not virtual.receive_udp(b"\x02\x01") and not virtual.receive_udp(b"\x02") and not virtual.receive_udp(b"")


def test_live_by_json_never_times_out() -> None:
    virtual = unit()
    virtual.hold_live()
    virtual.advance(at(100))
    assert virtual.live

    virtual.end_stream()
    assert not virtual.live


def test_an_override_shows_its_own_state_while_live() -> None:
    virtual = unit()
    virtual.override = 1
    virtual.receive_ddp(frame(7)[0], SENDER, at(1))

    shown = virtual.advance(at(1))
    assert shown and shown.live and shown.pixels[:3] == bytes([255, 160, 0])


def test_a_packet_beyond_the_strip_is_cut() -> None:
    virtual = unit()
    for packet in frame(9, pixels=1000):
        virtual.receive_ddp(packet, SENDER, at(1))

    shown = virtual.advance(at(1))
    assert shown and shown.pixels == bytes([9]) * 30


def test_what_is_dropped_is_counted_and_starts_nothing() -> None:
    virtual = unit()

    assert virtual.receive_ddp(b"\x41", SENDER, at(1)) is None
    assert virtual.receive_e131(b"\x41", SENDER, at(1)) is None
    assert (virtual.counters.packets, virtual.counters.dropped, virtual.live) == (2, 2, False)


def test_rgbw_takes_rgb_without_white_and_rgb_drops_white() -> None:
    rgbw, rgb = unit(2, rgbw=True), unit(2)
    rgbw.receive_ddp(frame(5, 2)[0], SENDER, at(1))
    rgb.receive_ddp(frame(5, 2, channels=4)[0], SENDER, at(1))

    shown = rgbw.advance(at(1)), rgb.advance(at(1))
    assert [one and one.pixels for one in shown] == [bytes([5, 5, 5, 0] * 2), bytes([5] * 6)]


def test_each_e131_universe_shows_170_pixels() -> None:
    virtual = unit(200)
    virtual.receive_e131(e131_packet(1, bytes([1]) * 512), SENDER, at(1))
    first = virtual.advance(at(1))
    virtual.receive_e131(e131_packet(2, bytes([2]) * 90), SENDER, at(1.1))
    second = virtual.advance(at(1.1))

    assert first and first.pixels == bytes([1]) * 510 + bytes(90)
    assert second and second.pixels == bytes([1]) * 510 + bytes([2]) * 90
    assert virtual.lm == "E1.31"
    assert virtual.receive_e131(e131_packet(13, bytes(3)), SENDER, at(1.2)) is None
