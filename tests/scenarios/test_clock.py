"""The room clock between real daemons whose own clocks really differ, under load and through a change of host."""

from pathlib import Path

import pytest

from tests.bench.clock import measure

pytestmark = pytest.mark.scenario


@pytest.mark.slow
def test_the_room_clocks_of_three_bridges_agree_and_never_jump_when_the_host_leaves(tmp_path: Path) -> None:
    result = measure(tmp_path, 25, musicians=1)

    assert result.percentile(99) < 2.0
    assert result.largest_step_ms < 1.0
    assert len({host for host in result.hosts if host}) == 2
    assert result.steps[0] == 0
    assert result.steps[1:] == [1, 1]
