"""A guest's place in its room: between the relay, which never waits, and a client that may."""

import asyncio
import time
from collections import deque

from jambridge.hub.guest import Guest, Said
from jambridge.hub.phoenix import Frame
from jambridge.hub.relay import Relay
from jambridge.units import LocalSeconds

_MAX_WAITING = 256


class Seat:
    """A guest in its room: what the room says waits here until it is looked at."""

    def __init__(self, guest: Guest, relay: Relay) -> None:
        self.guest = guest
        self._relay = relay
        self._frames: deque[Frame] = deque()
        self._missed = False
        self._more = asyncio.Event()
        self._socket = relay.attach(self._deliver)
        self.task: asyncio.Task[None] | None = None

    def send(self, frames: list[Frame]) -> None:
        for frame in frames:
            self._relay.receive(self._socket, frame)

    async def heard(self) -> Said:
        """What the next frame means, or a deadline of the guest's; who missed a frame is out."""
        if self._missed:
            return self.guest.lose()
        deadline = self.guest.deadline
        wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            async with asyncio.timeout(wait_s):
                while not self._frames:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            return self.guest.tick(LocalSeconds(time.monotonic()))
        return self.guest.hear(self._frames.popleft(), time.time(), LocalSeconds(time.monotonic()))

    def leave(self) -> None:
        self.send(self.guest.leave(time.time()).frames)
        self._relay.detach(self._socket)
        if self.task is not None:
            self.task.cancel()

    def _deliver(self, frame: Frame) -> bool:
        if len(self._frames) >= _MAX_WAITING:
            self._missed = True
            return False
        self._frames.append(frame)
        self._more.set()
        return True
