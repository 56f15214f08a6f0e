import asyncio
from typing import Any

from jambridge.peers.arrival import Arrival


class Ice:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()

    def data_received(self, data: bytes, component: int) -> None:
        assert component == 1
        self.queue.put_nowait(data)


class Transport:
    """As much of aiortc's as is followed."""

    def __init__(self, ice: Any) -> None:
        self._connection = ice
        self._recv = ice.queue.get


def test_a_datagram_is_dated_when_it_comes_and_not_when_it_is_taken_up() -> None:
    now = 10.0

    async def scenario() -> None:
        nonlocal now
        ice = Ice()
        transport: Any = Transport(ice)
        arrival = Arrival(transport, lambda: now)
        ice.data_received(b"one", 1)
        now = 11.0
        ice.data_received(b"two", 1)
        now = 12.0
        taken: list[tuple[bytes, float | None]] = [(await transport._recv(), arrival.at) for _ in range(2)]
        assert taken == [(b"one", 10.0), (b"two", 11.0)]

    asyncio.run(scenario())


def test_a_library_that_has_changed_inside_says_no_moment() -> None:
    class Changed:
        pass

    changed: Any = Changed()

    assert Arrival(changed).at is None
