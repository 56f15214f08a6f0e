"""A member as the daemon has it, in a thread of its own, beside musicians in browsers."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jambridge.edges import Latest
from jambridge.room.client import open_room
from jambridge.room.edges import Address, RoomEdges, open_sharing
from jambridge.room.messages import Participant
from jambridge.strict_json import JsonObject
from jambridge.units import PeerId

PATIENCE_S = 20.0


class Bridge:
    """Use `open_bridge`."""

    def __init__(self, url: str, code: str, peer: str, *, host_only: bool) -> None:
        self._host_only = host_only
        self.id = PeerId(peer)
        self._address = Address(url, "lan")
        self._topic = f"room:{code}"
        self._loop = asyncio.new_event_loop()
        self._edges: RoomEdges | None = None
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._live()))

    @property
    def host(self) -> PeerId | None:
        return self._edges.view.value.host if self._edges else None

    @property
    def values(self) -> JsonObject:
        return self._edges.state.value.values() if self._edges else {}

    def change(self, field: str, value: object) -> None:
        assert self._edges is not None
        self._loop.call_soon_threadsafe(self._edges.change, field, value)

    def until(self, condition: Callable[["Bridge"], bool], what: str) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition(self):
            assert time.monotonic() < deadline_s, f"never: {what}, but {self.host} and {self.values}"
            time.sleep(0.02)

    def start(self) -> None:
        self._thread.start()
        self.until(lambda bridge: bridge.host is not None, "a host")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self._loop.close()

    async def _live(self) -> None:
        edges = RoomEdges(self.id, host_only=self._host_only)
        me = Participant(self.id, "Box", is_host=False, joined_at=time.time(), client="jambridge/test", sends=False)
        async with open_sharing(edges) as sharing, asyncio.TaskGroup() as group:
            keeping = group.create_task(sharing.run())
            async with open_room(Latest(self._address), self._topic, me, edges) as room:
                self._edges = edges
                running = group.create_task(room.run())
                await self._ending.wait()
                running.cancel()
                keeping.cancel()


@contextmanager
def open_bridge(url: str, code: str, peer: str = "box", *, host_only: bool = False) -> Iterator[Bridge]:
    """A bridge in the room `code` of the hub at `url`, once it knows the host."""
    bridge = Bridge(url, code, peer, host_only=host_only)
    bridge.start()
    yield bridge
    bridge.stop()
