import math

import pytest

from jambridge.light.syncmode import Condition, SyncMode, Wanted
from jambridge.units import LocalSeconds

WELL = Condition()


def chosen(mode: SyncMode, condition: Condition, now: float, *, is_host: bool = False, sent_s: float = 0.1) -> str:
    return mode.choose(condition, LocalSeconds(now), is_host=is_host, host_sent_s=sent_s)


@pytest.mark.parametrize(
    ("wanted", "is_host", "sent_s", "in_force"),
    [
        ("off", False, 0.1, "off"),
        ("local", False, 0.1, "local"),
        ("broadcast", False, 0.1, "broadcast"),
        ("broadcast", False, 4.0, "local"),
        ("broadcast", False, math.inf, "local"),
        ("broadcast", True, 0.1, "local"),
        ("auto", False, 0.1, "local"),
    ],
)
def test_what_is_wanted_is_in_force_where_it_can_be(
    wanted: Wanted, is_host: bool, sent_s: float, in_force: str
) -> None:
    assert chosen(SyncMode(wanted), WELL, 1.0, is_host=is_host, sent_s=sent_s) == in_force


def test_sound_that_stays_away_is_a_reason_to_follow_the_host_and_thirty_good_seconds_to_go_back() -> None:
    mode = SyncMode("auto")
    missing = Condition(is_complete=False)

    assert [chosen(mode, missing, now) for now in (0, 1, 2)] == ["local", "local", "broadcast"]
    assert [chosen(mode, WELL, now) for now in (3, 20, 31.9, 32.1)] == ["broadcast", "broadcast", "broadcast", "local"]


def test_without_the_hosts_colours_there_is_nothing_to_follow() -> None:
    mode = SyncMode("auto")
    missing = Condition(is_complete=False)

    assert [chosen(mode, missing, now, sent_s=math.inf) for now in range(5)] == ["local"] * 5


def test_a_machine_that_cannot_keep_up_follows_the_host() -> None:
    mode = SyncMode("auto")

    for second in range(10):
        assert chosen(mode, Condition(60 * second, 0), second) == "local"
    assert chosen(mode, Condition(600, 4), 10) == "local", "under one in a hundred"
    assert chosen(mode, Condition(660, 9), 11) == "broadcast"
    assert chosen(mode, Condition(10, 9), 12) == "broadcast", "a light process that began anew"
    assert chosen(mode, Condition(2000, 9), 42) == "local"
