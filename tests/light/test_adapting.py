from hypothesis import given
from hypothesis import strategies as st

from jambridge.light.adapting import LOWEST, Adaptation

fps = st.floats(0, 1000)


def played(adaptation: Adaptation, most_shown: float, probes: int) -> list[float]:
    """A WLED that shows at most so many frames, sent all that is asked for; what was asked at each probe."""
    asked = []
    for _ in range(probes):
        rate = 60 * adaptation.share
        asked.append(rate)
        adaptation.follow(rate, rate, min(rate, most_shown))
    return asked


def test_one_that_keeps_up_is_sent_all() -> None:
    assert set(played(Adaptation(), 58, 50)) == {60}


def test_one_that_falls_behind_twice_is_sent_what_it_shows() -> None:
    assert played(Adaptation(), 14, 6) == [60, 60, 14, 14, 14, 14]


def test_when_it_is_well_again_it_gets_more_step_by_step() -> None:
    adaptation = Adaptation()
    played(adaptation, 30, 3)

    asked = played(adaptation, 60, 60)

    assert asked[0] == 30 and asked[-1] == 60
    assert asked == sorted(asked)
    assert asked.index(60) > 40, "over minutes"


def test_a_limit_that_stays_is_probed_without_falling_far_behind() -> None:
    adaptation = Adaptation()

    asked = played(adaptation, 30, 100)[3:]

    assert all(30 <= rate < 40 for rate in asked)


def test_what_is_shown_of_a_keepalive_says_nothing() -> None:
    adaptation = Adaptation()

    assert not any(adaptation.follow(60, 1, 1) for _ in range(10))
    assert not any(adaptation.follow(60, 60, 0) for _ in range(10)), "it does not say"
    assert adaptation.share == 1


@given(st.lists(st.tuples(fps, fps, fps), max_size=40))
def test_whatever_is_reported_the_share_stays_in_range(reports: list[tuple[float, float, float]]) -> None:
    adaptation = Adaptation()

    for asked, sent, shown in reports:
        adaptation.follow(asked, sent, shown)

    assert LOWEST <= adaptation.share <= 1
