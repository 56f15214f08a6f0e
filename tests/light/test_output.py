import errno
import math
from collections.abc import Callable

import numpy as np
import pytest

from jambridge.light.colour import Colours
from jambridge.light.control import LightSettings
from jambridge.light.output import Output
from jambridge.light.rig import Rig
from jambridge.light.wled import Controller
from jambridge.units import LocalSeconds
from tests.fakes.strip import FakeStrip

RED: Colours = np.tile(np.array([1, 0, 0], np.float32), (600, 1))
NEVER = LocalSeconds(-math.inf)
ONE = Controller("aaaaaaaaaaaa", "one", "10.0.0.1", 600)


def at(seconds: float) -> LocalSeconds:
    return LocalSeconds(seconds)


def still(seconds: float) -> Callable[[], LocalSeconds]:
    return lambda: LocalSeconds(seconds)


def test_a_frame_arrives_whole_and_the_strip_is_handed_back_without_a_black_one() -> None:
    strip = FakeStrip()
    output = Output(ONE, strip, LightSettings())

    output.show(RED, still(1))
    output.release()

    assert strip.shown == [bytes([255, 0, 0]) * 600]
    assert strip.releases == 1


def test_what_was_never_driven_is_not_released() -> None:
    strip = FakeStrip()
    output = Output(ONE, strip, LightSettings())

    output.release()
    output.show(RED, still(1))
    output.release()
    output.release()

    assert strip.releases == 1


def test_brightness_is_the_persons_times_the_strips() -> None:
    strip = FakeStrip()
    dim = Controller("aaaaaaaaaaaa", "one", "10.0.0.1", 600, gamma=1.0, brightness=0.5)
    output = Output(dim, strip, LightSettings(brightness=0.8))

    output.show(RED, still(1))

    assert strip.shown[-1][:3] == bytes([102, 0, 0])


def test_an_rgbw_strip_is_sent_white() -> None:
    strip = FakeStrip()
    output = Output(Controller("aaaaaaaaaaaa", "one", "10.0.0.1", 2, channels=4), strip, LightSettings())

    output.show(np.ones((2, 3), np.float32), still(1))

    assert strip.shown == [bytes([0, 0, 0, 255]) * 2]


def test_a_strobe_leaves_as_three_flashes() -> None:
    strip = FakeStrip()
    output = Output(ONE, strip, LightSettings())

    for tick in range(60):
        output.show(RED * float(tick % 6 < 3), still(tick / 60))

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
    output.show(RED, still(1))
    broken = output.report(1.0)
    strip.fails = None
    output.show(RED, still(2))
    healed = output.report(1.0)

    assert (broken.frames_sent, broken.skipped, broken.errors, broken.error) == (0, skipped, errors, error)
    assert (healed.frames_sent, healed.error, healed.fps) == (1, None, 1.0)


class Strips:
    """Strips by address, as they are connected."""

    def __init__(self) -> None:
        self.by_host: dict[str, FakeStrip] = {}

    def connect(self, controller: Controller) -> FakeStrip:
        return self.by_host.setdefault(controller.host, FakeStrip())


def show(rig: Rig, seconds: float) -> bool:
    return rig.show(lambda pixels: RED[:pixels], still(seconds), NEVER, sounding=True)


def test_each_strip_is_drawn_for_its_own_length_at_its_own_pace() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([ONE, Controller("bbbbbbbbbbbb", "two", "10.0.0.2", 10, interval_s=0.1)])

    assert [show(rig, tick / 60) for tick in range(60)] == [True] * 60
    assert not show(rig, 59.1 / 60)

    assert len(strips.by_host["10.0.0.1"].shown) == 60
    assert 9 <= len(strips.by_host["10.0.0.2"].shown) <= 11
    assert {len(frame) for frame in strips.by_host["10.0.0.2"].shown} == {30}


def test_a_strip_no_longer_wanted_is_released_at_once() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([ONE])
    show(rig, 1)

    rig.set_controllers([])

    assert strips.by_host["10.0.0.1"].releases == 1 and strips.by_host["10.0.0.1"].closed
    assert rig.due(NEVER, sounding=True) == math.inf


def test_a_strip_that_somebody_else_took_is_left_without_a_word() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([ONE])
    show(rig, 1)

    rig.set_controllers([Controller("aaaaaaaaaaaa", "one", "10.0.0.1", 600, yielded=True)])
    show(rig, 2)
    rig.release()

    assert len(strips.by_host["10.0.0.1"].shown) == 1
    assert strips.by_host["10.0.0.1"].releases == 0


def test_a_strip_with_a_new_address_goes_on_there_and_its_flashes_still_count() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    for index in range(60):
        host = f"10.0.0.{1 + index // 10 % 2}"
        rig.set_controllers([Controller("aaaaaaaaaaaa", "one", host, 4, interval_s=0.001)])
        picture = RED[:4] * float(index % 2)
        rig.show({4: picture}.__getitem__, still(index / 60), NEVER, sounding=True)

    bright = [frame for strip in strips.by_host.values() for frame in strip.shown if frame[0] == 255]
    assert len(strips.by_host) == 2
    assert len(bright) == 3


def test_an_attack_makes_a_frame_due_early() -> None:
    strips = Strips()
    rig = Rig(strips.connect)
    rig.set_controllers([ONE])
    show(rig, 1.0)

    assert rig.due(NEVER, sounding=False) == 2.0
    assert rig.due(at(1.001), sounding=False) == pytest.approx(1.0155)
    assert rig.show(lambda pixels: RED[:pixels], still(1.016), at(1.001), sounding=False)
    assert rig.due(at(1.001), sounding=False) == pytest.approx(2.016)
