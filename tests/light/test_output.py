import errno
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from jambridge.light.colour import Colours
from jambridge.light.control import LightSettings
from jambridge.light.output import Output
from jambridge.light.rig import Rig
from jambridge.light.wled import Controller
from jambridge.units import LocalSeconds
from tests.fakes.strip import FakeStrip, FakeUniverses

RED: Colours = np.tile(np.array([1, 0, 0], np.float32), (600, 1))
NEVER = LocalSeconds(-math.inf)
ONE = Controller("aaaaaaaaaaaa", "one", "10.0.0.1", 600)


def at(seconds: float) -> LocalSeconds:
    return LocalSeconds(seconds)


def show(output: Output, colours: Colours, seconds: float) -> None:
    output.prepare(colours, at(seconds))
    output.send(still(seconds))


def still(seconds: float) -> Callable[[], LocalSeconds]:
    return lambda: LocalSeconds(seconds)


def test_a_frame_arrives_whole_and_the_strip_is_handed_back_without_a_black_one() -> None:
    strip = FakeStrip()
    output = Output(ONE, strip, LightSettings())

    show(output, RED, 1)
    output.release()

    assert strip.shown == [bytes([255, 0, 0]) * 600]
    assert strip.releases == 1


def test_what_was_never_driven_is_not_released() -> None:
    strip = FakeStrip()
    output = Output(ONE, strip, LightSettings())

    output.release()
    show(output, RED, 1)
    output.release()
    output.release()

    assert strip.releases == 1


def test_brightness_is_the_persons_times_the_strips() -> None:
    strip = FakeStrip()
    dim = Controller("aaaaaaaaaaaa", "one", "10.0.0.1", 600, gamma=1.0, brightness=0.5)
    output = Output(dim, strip, LightSettings(brightness=0.8))

    show(output, RED, 1)

    assert strip.shown[-1][:3] == bytes([102, 0, 0])


def test_an_rgbw_strip_is_sent_white() -> None:
    strip = FakeStrip()
    output = Output(Controller("aaaaaaaaaaaa", "one", "10.0.0.1", 2, channels=4), strip, LightSettings())

    show(output, np.ones((2, 3), np.float32), 1)

    assert strip.shown == [bytes([0, 0, 0, 255]) * 2]


def test_a_strobe_leaves_as_three_flashes() -> None:
    strip = FakeStrip()
    output = Output(ONE, strip, LightSettings())

    for tick in range(60):
        show(output, RED * float(tick % 6 < 3), tick / 60)

    levels = [frame[0] > 100 for frame in strip.shown]
    assert sum(after and not before for before, after in zip([False, *levels], levels, strict=False)) == 3


@pytest.mark.parametrize(
    ("failure", "skipped", "errors", "error"),
    [
        (BlockingIOError(errno.EAGAIN, "busy"), 1, 0, None),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), 0, 1, "Network is unreachable"),
    ],
)
def test_a_frame_that_cannot_leave_is_dropped_and_counted(
    failure: OSError, skipped: int, errors: int, error: str | None
) -> None:
    strip = FakeStrip()
    output = Output(ONE, strip, LightSettings())

    strip.fails = failure
    show(output, RED, 1)
    broken = output.report(at(1))
    strip.fails = None
    show(output, RED, 2)
    again = output.report(at(2))
    show(output, RED, 6)
    healed = output.report(at(6))

    assert (broken.frames_sent, broken.skipped, broken.errors, broken.error) == (0, skipped, errors, error)
    assert (again.frames_sent, again.error, again.fps) == (1, error, 1.0)
    assert (healed.frames_sent, healed.error) == (2, None)


def test_of_frames_that_are_due_together_the_newest_leaves_and_the_others_are_counted() -> None:
    strip = FakeStrip()
    output = Output(ONE, strip, LightSettings())
    output.set_delay(0.1)

    for tick in range(3):
        output.prepare(RED * 0.5 * tick, at(1 + tick / 60))
    output.send(still(2))

    assert [frame[0] for frame in strip.shown] == [255]
    assert (output.report(at(2)).frames_sent, output.report(at(2)).skipped) == (1, 2)


def test_frames_a_second_are_those_of_the_last_second() -> None:
    output = Output(ONE, FakeStrip(), LightSettings())

    for count in range(200):
        show(output, RED, 5 + count / 60)

    assert output.report(at(5 + 199 / 60)).fps == 60
    assert output.report(at(5 + 199 / 60 + 0.5)).fps == 30
    assert output.report(at(20)).fps == 0


def test_a_frame_like_the_one_before_is_left_out_and_what_is_urgent_then_leaves_at_once() -> None:
    strip = FakeStrip()
    output = Output(ONE, strip, LightSettings())

    for tick in range(60, 120):
        output.prepare(RED, at(tick / 60), again=False)
        output.send(still(tick / 60))
    assert len(strip.shown) == 20
    assert output.due(sounding=True, urgent=True) <= 119 / 60 < output.due(sounding=True, urgent=False)

    show(output, RED * 0.5, 119.5 / 60)
    assert len(strip.shown) == 21
    assert output.due(sounding=True, urgent=False) == pytest.approx(121 / 60), "it has taken the place of the next"


def test_a_frame_that_did_not_leave_is_sent_again() -> None:
    strip = FakeStrip()
    output = Output(ONE, strip, LightSettings())
    strip.fails = BlockingIOError(errno.EAGAIN, "busy")
    show(output, RED, 1)
    strip.fails = None

    output.prepare(RED, at(61 / 60), again=False)
    output.send(still(61 / 60))

    assert len(strip.shown) == 1


def test_over_e131_the_end_repeats_the_last_frame_and_then_the_strip_is_released() -> None:
    wire = FakeUniverses()
    rig = Rig(lambda _: wire)
    rig.set_controllers([replace(ONE, protocol="e131", universe=7, gamma=1.0)])

    tick(rig, 1)
    tick(rig, 2)
    rig.release()
    rig.release()

    assert wire.said == ["frame", "frame", "end", "end", "end", "release"]
    assert [wire.newest[number].data for number in (7, 8, 9, 10)] == [bytes([255, 0, 0]) * 170] * 3 + [
        bytes([255, 0, 0]) * 90
    ]
    assert {one.sequence for one in wire.newest.values()} == {4}, "0 and 1 were frames"


def test_one_whose_user_overrides_the_stream_is_only_kept_awake() -> None:
    output = Output(replace(ONE, overridden=True), FakeStrip(), LightSettings())
    show(output, RED, 1)

    assert output.due(sounding=True, urgent=True) == 1 + ONE.keepalive_s


def _shown(picture: Colours, _controller: Controller) -> Colours:
    return picture


class Strips:
    """Strips by address, as they are connected."""

    def __init__(self) -> None:
        self.by_host: dict[str, FakeStrip] = {}

    def connect(self, controller: Controller) -> FakeStrip:
        return self.by_host.setdefault(controller.host, FakeStrip())


def tick(rig: Rig, seconds: float) -> bool:
    return rig.show(lambda controller: RED[: controller.pixels], still(seconds), NEVER, sounding=True)


def test_each_strip_is_drawn_for_its_own_length_at_its_own_pace() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([ONE, Controller("bbbbbbbbbbbb", "two", "10.0.0.2", 10, max_fps=10)])

    assert [tick(rig, count / 60) for count in range(60)] == [True] * 60
    assert not tick(rig, 59.1 / 60)

    assert len(strips.by_host["10.0.0.1"].shown) == 60
    assert 9 <= len(strips.by_host["10.0.0.2"].shown) <= 11
    assert {len(frame) for frame in strips.by_host["10.0.0.2"].shown} == {30}


def test_a_strip_no_longer_wanted_is_released_at_once() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([ONE])
    tick(rig, 1)

    rig.set_controllers([])

    assert strips.by_host["10.0.0.1"].releases == 1 and strips.by_host["10.0.0.1"].closed
    assert rig.due(NEVER, sounding=True) == math.inf


def test_a_strip_that_somebody_else_took_is_left_without_a_word() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([ONE])
    tick(rig, 1)

    rig.set_controllers([Controller("aaaaaaaaaaaa", "one", "10.0.0.1", 600, yielded=True)])
    tick(rig, 2)
    rig.release()

    assert len(strips.by_host["10.0.0.1"].shown) == 1
    assert strips.by_host["10.0.0.1"].releases == 0


def test_a_strip_with_a_new_address_goes_on_there_and_its_flashes_still_count() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    for index in range(60):
        host = f"10.0.0.{1 + index // 10 % 2}"
        rig.set_controllers([Controller("aaaaaaaaaaaa", "one", host, 4)])
        picture = RED[:4] * float(index % 2)
        rig.show(partial(_shown, picture), still(index / 60), NEVER, sounding=True)

    bright = [frame for strip in strips.by_host.values() for frame in strip.shown if frame[0] == 255]
    assert len(strips.by_host) == 2
    assert len(bright) == 3


def test_what_is_urgent_makes_a_frame_due_early() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([ONE])
    tick(rig, 1.0)

    assert rig.due(NEVER, sounding=False) == 2.0
    assert rig.due(at(1.001), sounding=False) == pytest.approx(1.0155)
    assert rig.show(lambda controller: RED[: controller.pixels], still(1.016), at(1.001), sounding=False)
    assert rig.due(at(1.001), sounding=False) == pytest.approx(2.016)


def swelling(elapsed_s: float, pixels: int) -> Colours | None:
    return RED[:pixels] if elapsed_s < 1 else None


def test_a_pattern_is_shown_on_one_strip_and_then_it_is_released() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([replace(ONE, host="10.0.0.9", mac="c" * 12)])
    rig.begin_trial(replace(ONE, gamma=1.0), swelling, at(5))

    def show_black(seconds: float) -> bool:
        return rig.show(lambda pixels: 0 * RED[:pixels], still(seconds), NEVER, sounding=False, drives=False)

    assert rig.due(NEVER, sounding=False, drives=False) < 5
    assert show_black(5.0) and show_black(5.5)
    assert strips.by_host["10.0.0.1"].shown == [bytes([255, 0, 0]) * 600] * 2
    assert strips.by_host["10.0.0.9"].shown == []
    assert not show_black(6.0)
    assert strips.by_host["10.0.0.1"].releases == 1
    assert rig.due(NEVER, sounding=False, drives=False) == math.inf


def test_behind_a_pattern_the_music_goes_on_and_what_is_stopped_releases_all() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([ONE])
    rig.begin_trial(ONE, lambda _, pixels: 0 * RED[:pixels], at(5))

    tick(rig, 5)
    rig.release()
    assert strips.by_host["10.0.0.1"].releases == 0, "not while it is tried"
    rig.close()

    assert strips.by_host["10.0.0.1"].releases == 1
    tick(rig, 8)
    assert [frame[0] for frame in strips.by_host["10.0.0.1"].shown] == [0, 255]


def levels(strip: FakeStrip) -> list[int]:
    return [frame[0] for frame in strip.shown]


def test_a_strip_with_an_offset_shows_each_frame_that_much_later() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    others = [replace(ONE, mac="b" * 12, host="10.0.0.2", gamma=1.0), replace(ONE, gamma=1.0, offset_s=-0.1)]
    rig.set_controllers(others)
    shown_at: dict[str, list[float]] = {"10.0.0.1": [], "10.0.0.2": []}
    now = 1.0
    while now < 2.0:
        before = {host: len(strip.shown) for host, strip in strips.by_host.items()}
        picture = RED * min(1.0, (now - 1) / 2)
        rig.show(partial(_shown, picture), still(now), NEVER, sounding=True)
        for host, strip in strips.by_host.items():
            shown_at[host] += [now] * (len(strip.shown) - before[host])
        now = max(now + 1e-4, rig.due(NEVER, sounding=True))

    early, late = strips.by_host["10.0.0.1"], strips.by_host["10.0.0.2"]
    assert levels(early)[: len(late.shown)] == levels(late), "the same frames"
    delays = [after - before for before, after in zip(shown_at["10.0.0.1"], shown_at["10.0.0.2"], strict=False)]
    assert len(delays) > 50 and all(abs(delay - 0.1) < 0.001 for delay in delays)


def test_when_an_offset_changes_no_frame_overtakes_another() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    late = replace(ONE, gamma=1.0, offset_s=0.0)
    rig.set_controllers([late, replace(ONE, mac="b" * 12, host="10.0.0.2", offset_s=-0.1)])
    for count in range(60):
        if count == 30:
            rig.set_controllers([late])
        picture = RED * (count / 60)
        rig.show(partial(_shown, picture), still(1 + count / 60), NEVER, sounding=True)

    shown = levels(strips.by_host["10.0.0.1"])
    assert shown == sorted(shown) and len(shown) > 40 and shown[-1] == 251


def test_what_waits_is_not_sent_behind_a_release() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([replace(ONE, offset_s=0.2)])
    tick(rig, 1.0)
    rig.release()
    tick(rig, 1.5)

    assert strips.by_host["10.0.0.1"].shown == []
    assert strips.by_host["10.0.0.1"].releases == 0, "it was not driven yet"


@pytest.mark.parametrize(("before", "after"), [(60, 20), (20, 60)])
def test_frames_go_on_when_the_rate_changes(before: float, after: float) -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([replace(ONE, max_fps=before)])
    assert tick(rig, 5000.0)

    rig.set_controllers([replace(ONE, max_fps=after)])

    assert rig.due(NEVER, sounding=True) < 5000.1
    assert sum(tick(rig, 5000.0 + count / 240) for count in range(1, 241)) in (after, after + 1)
