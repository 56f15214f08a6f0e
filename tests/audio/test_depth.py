import random
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.audio.playout.depth import CAP_S, Depth, Safety
from jambridge.units import LocalSeconds


def noted(safety: Safety, needs_s: list[float], period_s: float = 0.01) -> Depth:
    depth = Depth(safety)
    for index, need_s in enumerate(needs_s):
        depth.note(need_s, LocalSeconds(index * period_s))
    return depth


def test_the_target_grows_with_the_packet_that_shows_it_is_too_small() -> None:
    depth = noted(Safety.NORMAL, [0.0] * 20)
    before_s = depth.target_s

    depth.note(0.03, LocalSeconds(0.2))

    assert before_s < 0.002
    assert 0.03 < depth.target_s < 0.032


def test_what_was_needed_is_forgotten_after_ten_seconds() -> None:
    depth = noted(Safety.NORMAL, [0.03] * 100 + [0.0] * 960)

    assert depth.target_s > 0.03

    for index in range(1060, 1110):
        depth.note(0.0, LocalSeconds(index * 0.01))
    assert depth.target_s < 0.002


def test_the_safer_the_more_packets_are_in_time() -> None:
    rng = random.Random(1)
    needs_s = [rng.expovariate(1 / 0.004) for _ in range(1000)]

    targets_s = {safety: noted(safety, needs_s).target_s for safety in Safety}
    in_time = {safety: sum(need_s <= targets_s[safety] for need_s in needs_s) / 1000 for safety in Safety}

    assert in_time[Safety.SAFE] == 1
    assert 0.998 <= in_time[Safety.NORMAL] <= 1
    assert 0.99 <= in_time[Safety.FAST] < in_time[Safety.NORMAL]


def test_it_is_capped_over_the_packets_that_come_soonest() -> None:
    depth = noted(Safety.SAFE, [5.0] * 50 + [7.0] * 50)

    assert depth.target_s == pytest.approx(5.0 + CAP_S)
    assert depth.spread_s == pytest.approx(CAP_S)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1)), min_size=1, max_size=50))
def test_any_needs_give_a_target_and_the_window_holds_what_it_says(steps: list[tuple[float, float]]) -> None:
    depth, now = Depth(Safety.NORMAL), 0.0
    for need_s, passed_s in steps:
        now += passed_s
        depth.note(need_s, LocalSeconds(now))

    assert min(need_s for need_s, _ in steps) <= depth.target_s <= max(need_s for need_s, _ in steps) + 0.01
    assert depth.jitter_s >= 0


def test_memory_is_bounded_when_packets_come_faster_than_they_can() -> None:
    depth = noted(Safety.NORMAL, [0.0] * 10_000, period_s=1e-6)

    assert len(depth._recent) == len(depth._sorted) == 4096


def test_another_thread_may_ask_for_the_jitter_while_packets_are_noted_and_forgotten() -> None:
    depth, over = Depth(Safety.NORMAL), threading.Event()

    def note_and_forget() -> None:
        for index in range(300_000):
            depth.note(float(index % 7), LocalSeconds(index * 11.0))  # each is alone in its window
        over.set()

    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        noting = threading.Thread(target=note_and_forget)
        noting.start()
        while not over.is_set():
            assert depth.jitter_s == 0
        noting.join()
    finally:
        sys.setswitchinterval(usual_s)
