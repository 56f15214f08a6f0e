import asyncio

import pytest

from jambridge.doctor.finding import Verdict
from jambridge.doctor.judge import processor
from jambridge.doctor.judge.processor import LOOP_S, Costs, Machine
from jambridge.doctor.probe import aside
from jambridge.doctor.probe import processor as probe

QUICK = Costs(detector_s=0.001, frame_s=0.0003, pixel_s=3e-7, loop_s=LOOP_S)
FOUR = Machine(4, 0.4, "ondemand")


def slower(times: float) -> Costs:
    return Costs(*(times * cost for cost in (QUICK.detector_s, QUICK.frame_s, QUICK.pixel_s, QUICK.loop_s)))


def test_this_machine_is_measured() -> None:
    costs = Costs(**asyncio.run(aside.ours("jambridge.doctor.probe.processor")))

    assert all(cost > 0 for cost in (costs.detector_s, costs.loop_s))
    assert 0 <= costs.pixel_s < 1e-4
    assert probe.machine().cores > 0
    assert " pixels at 60 a second" in processor.processor(costs, probe.machine(), 3).reason


def test_a_quick_machine_carries_everybody() -> None:
    found = processor.processor(QUICK, FOUR, 3)

    assert found.verdict is Verdict.GOOD
    assert found.reason == (
        "carries 3 other musicians and 16380 pixels at 60 a second; 3 and 300 take about 0.46 of 4 cores"
    )


@pytest.mark.parametrize(("times", "peers"), [(2.5, "carries 2 "), (4, "carries 1 "), (20, "carries 0 ")])
def test_a_slow_machine_says_for_how_many_it_is_good_enough(times: float, peers: str) -> None:
    found = processor.processor(slower(times), FOUR, 3)

    assert found.verdict is Verdict.WARNING
    assert found.reason.startswith(peers)
    assert found.remedy.startswith("a faster machine")


def test_pixels_that_fit_do_fit_and_ten_more_do_not() -> None:
    costs = slower(2)
    most = processor.most_pixels(costs, FOUR, 2)

    assert 0 < most < 16_000
    assert processor.light_cores(costs, 2, most) <= processor.ONE_CORE < processor.light_cores(costs, 2, most + 20)


def test_one_who_is_told_to_play_with_one_other_need_not_carry_three() -> None:
    assert processor.processor(slower(2.5), FOUR, 1).verdict is Verdict.GOOD


def test_other_work_and_a_sleepy_governor_are_told() -> None:
    assert processor.load(FOUR) == []
    busy, sleepy = processor.load(Machine(2, 5.2, "powersave"))
    assert busy.reason == "other programs keep it busy: a load of 5.2 on 2 cores"
    assert "performance" in sleepy.remedy
