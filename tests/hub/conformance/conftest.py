"""One hub and one process of each JavaScript client for all tests here."""

from collections.abc import Iterator

import pytest

from tests.hub.conformance import stage
from tests.hub.conformance.stage import Running


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with stage.running(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room of the test's own."""
    return f"room:{request.node.name.replace('[', '-').rstrip(']').removeprefix('test_')}"[:200]
