"""The network goes and comes back, a musician is killed and starts again: how soon there is sound."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.namespaces import Host, network
from tests.scenarios.paths import NO_SERVERS, Band, cloud_hub, open_band

pytestmark = pytest.mark.scenario


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Host, str]]:
    directory = tmp_path_factory.mktemp("cuts")
    with network(3) as (box, home, cloud), cloud_hub(cloud, directory) as hub:
        yield box, home, hub


@pytest.fixture
def band(hosts: tuple[Host, Host, str], tmp_path: Path) -> Iterator[Band]:
    box, home, hub = hosts
    with open_band(box, home, hub, tmp_path, [NO_SERVERS]) as playing:
        playing.seconds_to_sound()
        yield playing


def test_after_a_cut_of_ten_seconds_sound_is_back_within_two(band: Band) -> None:
    assert band.cut(10) < 2.0


@pytest.mark.slow
def test_after_a_cut_of_45_seconds_sound_is_back_within_eight(band: Band) -> None:
    assert band.cut(45) < 8.0


def test_a_musician_killed_and_started_again_is_heard_within_eight_seconds(band: Band) -> None:
    band.player.kill()
    band.player.start()
    assert band.await_sound(60) < 8.0
