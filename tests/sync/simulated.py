"""Machines whose clocks run differently, and a network that delays and loses what they say, in simulated time."""

import heapq
import itertools
import random
from collections.abc import Callable

from jambridge.sync.service import Sync
from jambridge.units import LocalSeconds, PeerId, RoomSeconds

Delay = Callable[[random.Random, float], float | None]
"""How long a message travels that is sent at that time, in seconds; None if it is lost."""


class Machine:
    def __init__(self, world: "World", number: int, ppm: float, boot_s: float) -> None:
        self.id = PeerId(f"m{number}")
        self.is_up = True
        self._world = world
        self._pace = 1 + ppm * 1e-6
        self._boot_s = boot_s
        self.sync = Sync(self.id, lambda: world.host, self._send, lambda: self.local)

    @property
    def local(self) -> LocalSeconds:
        return LocalSeconds(self._boot_s + self._world.now * self._pace)

    @property
    def room(self) -> RoomSeconds:
        return self.sync.report.value.course.room_s(self.local)

    def sleep(self, seconds: float) -> None:
        """The monotonic clock stands still meanwhile, and everything else with it."""
        self.is_up = False
        self._world.run(self._world.now + seconds)
        self._boot_s -= seconds * self._pace
        self.is_up = True
        self.ping()

    def ping(self) -> None:
        if self.is_up:
            self._world.after(self.sync.ping(), self.ping)

    def _send(self, to: PeerId, text: str) -> bool:
        return self._world.carry(self.id, to, text)


class World:
    def __init__(self, delay: Delay, ppm: tuple[float, ...], seed: int = 0) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.delay = delay
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        boots = (1000.0, 5.0, 70_000.0, 300.0)
        self.host: PeerId | None = None
        self.machines = [Machine(self, n, pace, boots[n]) for n, pace in enumerate(ppm)]
        self.host = self.machines[0].id
        for machine in self.machines:
            self.after(0.01, machine.ping)

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), do))

    def carry(self, sender: PeerId, to: PeerId, text: str) -> bool:
        travels = self.delay(self.random, self.now)
        receiver = next(machine for machine in self.machines if machine.id == to)
        if travels is not None and receiver.is_up:
            self.after(travels, lambda: receiver.sync.receive(sender, text, receiver.local))
        return receiver.is_up

    def run(self, until: float) -> None:
        while self._agenda and self._agenda[0][0] <= until:
            self.now, _, do = heapq.heappop(self._agenda)
            do()
        self.now = until

    def apart(self) -> float:
        """Between the earliest and the latest room clock, seconds."""
        rooms = [machine.room for machine in self.machines if machine.is_up]
        return max(rooms) - min(rooms)


def busy(rng: random.Random, _now: float) -> float | None:
    """0-5 ms, one in twenty 20 ms late, one in fifty lost."""
    spike_s = 0.02 if rng.random() < 0.05 else 0.0
    return None if rng.random() < 0.02 else rng.uniform(0, 0.005) + spike_s


def lan(rng: random.Random, _now: float) -> float | None:
    return rng.uniform(0.0002, 0.0006)
