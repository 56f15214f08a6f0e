"""Which clients a test is run for, each run named."""

from collections.abc import Iterable

import pytest

from tests.hub.conformance.stage import CLIENTS

PAIRS = [(receiver, sender) for receiver in CLIENTS for sender in CLIENTS]


def named(cell: str, pairs: Iterable[tuple[str, str]] = PAIRS) -> pytest.MarkDecorator:
    """A run for every pair of receiver and sender."""
    runs = [pytest.param(*pair, id=f"{cell}-{pair[0]}-receives-from-{pair[1]}") for pair in pairs]
    return pytest.mark.parametrize(("receiver", "sender"), runs)


def each(cell: str, clients: Iterable[str] = CLIENTS) -> pytest.MarkDecorator:
    """A run for every client."""
    return pytest.mark.parametrize("client", [pytest.param(client, id=f"{cell}-{client}") for client in clients])
