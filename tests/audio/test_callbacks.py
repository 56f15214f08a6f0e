import pytest

from jambridge.audio.playout.callbacks import Callbacks
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds

PERIOD_S = 128 / SAMPLE_RATE_HZ


def called(times: int, begin_s: float = 5.0, card: Callbacks | None = None) -> Callbacks:
    card = card or Callbacks()
    for index in range(times):
        assert card.call(128, LocalSeconds(begin_s + index * PERIOD_S)) == 0
    return card


def test_a_packet_belongs_to_the_first_callback_that_is_not_before_it() -> None:
    card = called(100)

    assert (card.first, card.next) == (99 * 128, 100 * 128)
    assert card.first_from(5.0 + 40 * PERIOD_S) == 40 * 128
    assert card.first_from(5.0 + 40 * PERIOD_S + 1e-6) == 41 * 128
    assert card.first_from(6.0) == 100 * 128


@pytest.mark.parametrize("late_s", [0.01, 0.09])
def test_a_card_that_catches_up_has_left_nothing_out(late_s: float) -> None:
    card = called(1000)

    resumed_s = 5.0 + 1000 * PERIOD_S + late_s
    left_out = [card.call(128, LocalSeconds(resumed_s + index * 1e-4)) for index in range(round(late_s / PERIOD_S))]

    assert set(left_out) == {0}
    assert card.next == 1000 * 128 + len(left_out) * 128


def test_what_a_card_has_left_out_while_it_stood_still_counts() -> None:
    card = called(1000)

    resumed_s = 5.0 + 1000 * PERIOD_S + 3.0
    left_out = [card.call(128, LocalSeconds(resumed_s + index * PERIOD_S)) for index in range(100)]

    assert [frames for frames in left_out if frames] == [pytest.approx(3 * SAMPLE_RATE_HZ, abs=2)]
    assert left_out.index(max(left_out)) * PERIOD_S == pytest.approx(0.1, abs=PERIOD_S)
    assert not card.is_late
