"""The hub dies or hangs under bridges that were told where it is, with members of the older kinds in the room."""

from collections.abc import Iterator

import pytest

from tests.bench.outage_room import Stage, open_stage
from tests.bench.outages import Result, outage

pytestmark = pytest.mark.scenario

BACK_WITHIN_S = 10.0
ALONE_WITHIN_S = 20.0
"""A member that came back by another id is awaited by its former one for fifteen seconds."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_stage(tmp_path_factory.mktemp("outages"), musicians=1, strip=False) as room:
        yield room


@pytest.mark.slow
def test_a_hub_killed_and_started_again_has_its_room_back_and_the_sound_never_stopped(stage: Stage) -> None:
    result = outage(stage, 2, frozen=False, ghosts_after_s=ALONE_WITHIN_S)

    assert result.noticed
    unharmed(result)


@pytest.mark.slow
def test_a_hub_that_hung_for_a_while_has_its_room_whole(stage: Stage) -> None:
    unharmed(outage(stage, 6, frozen=True, ghosts_after_s=ALONE_WITHIN_S))


def unharmed(result: Result) -> None:
    print(result)
    assert max(within(seconds) for seconds in result.connected_s) < BACK_WITHIN_S
    assert within(result.whole_s) < BACK_WITHIN_S
    assert within(result.in_force_s) < BACK_WITHIN_S
    assert result.ghosts == 0
    assert len(result.hosts) == 1
    assert result.anew == 0
    assert result.silence_s is not None
    assert result.silence_s < 1.0
    assert result.heard > 0.9
    assert result.clocks_apart_ms < 2.0


def within(seconds: float | None) -> float:
    assert seconds is not None, "never"
    return seconds
