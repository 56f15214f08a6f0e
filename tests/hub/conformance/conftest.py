"""The hub by its clients: one hub, and one process of each JavaScript client, for all tests here.

js1 is supabase-js told to speak wire 1.0.0, js2 as it is (2.0.0), python is supabase for Python (1.0.0): unmodified.
A test's id is its cell; S sends, R receives, each with every other client where both are there.

| | js1 | js2 | python |
|---|---|---|---|
| join, of a private channel too | S | S | S |
| presence state, diff | S R | S R | S R |
| track, re-track, identical re-track, untrack | S R | S R | S R |
| broadcast | S R | S R | S R |
| broadcast with ack | S | S | S |
| self broadcast | S R | S R | S R |
| binary frame | never R | S R | never R |
| HTTP broadcast, and of bytes | S R, bytes never R | S R | S R, bytes never R |
| HTTP broadcast of many | S R | S R | R; it has no such call |
| leave | S R | S R | S R |
| duplicate join, unknown topic, heartbeat, access_token | S | S | S |
| rate-limit close, of presence too | S, others R | S, others R | S, others R |

A binary frame does not exist on wire 1.0.0, so js1 and python cannot send one; bytes must not reach them. What is only
sent has its answer looked at, or that there is none (access_token). Nobody is shown a join without presence.
"""

from collections.abc import Iterator

import pytest

from jambridge.hub.limits import Limits
from tests.hub.conformance import stage
from tests.hub.conformance.stage import Running

SOON_A_FLOOD = Limits(message_rate=10.0, message_burst=100.0)
"""However slow the machine is on which a client floods it."""


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with stage.running(tmp_path_factory.mktemp("hub"), limits=SOON_A_FLOOD) as running:
        yield running


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room of the test's own."""
    return f"room:{request.node.name.replace('[', '-').rstrip(']').removeprefix('test_')}"[:200]
