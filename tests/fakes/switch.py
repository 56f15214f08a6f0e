"""A room in memory: members and signals, as the hub would bring them, for meshes in this process."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from jambridge.edges import Bounded, Latest
from jambridge.peers.channels import SYNC
from jambridge.peers.mesh import Mesh, open_mesh
from jambridge.peers.outgoing import Outgoing
from jambridge.peers.peer import Reader, Surroundings
from jambridge.peers.roles import CLOCK
from jambridge.room.messages import Participant, Signal
from jambridge.units import SAMPLE_RATE_HZ, PeerId

BLOCK_FRAMES = 480
LEVEL = 0.5


class Switch:
    """Delivers what `passing` makes of each signal: itself, nothing, or others."""

    def __init__(self, passing: Callable[[Signal], Iterable[Signal]] = lambda signal: [signal]) -> None:
        self.passing = passing
        self.sent: list[Signal] = []
        self.is_away = False
        self.dropped = 0
        self._members: dict[PeerId, Participant] = {}
        self._seen: dict[PeerId, Latest[tuple[Participant, ...]]] = {}
        self._boxes: dict[PeerId, Bounded[Signal]] = {}

    def join(self, who: Participant) -> tuple[Latest[tuple[Participant, ...]], Bounded[Signal]]:
        self._members[who.id] = dataclasses.replace(who, joined_at=float(len(self._seen)))
        self._seen[who.id] = Latest(())
        self._boxes[who.id] = Bounded(200)
        self._tell()
        return self._seen[who.id], self._boxes[who.id]

    def leave(self, peer: PeerId) -> None:
        self._members.pop(peer, None)
        self._tell()

    def forget(self, *peers: PeerId) -> None:
        """Keep nothing of those who have left, nor of what was said."""
        self.sent.clear()
        for peer in peers:
            del self._seen[peer], self._boxes[peer]

    def send(self, signal: Signal) -> bool:
        """False while the room is away, which carries nothing then."""
        if self.is_away:
            self.dropped += 1
            return False
        self.sent.append(signal)
        for passed in self.passing(signal):
            self.deliver(passed)
        return True

    def deliver(self, signal: Signal) -> None:
        if signal.target in self._boxes:
            self._boxes[signal.target].offer(signal)

    def _tell(self) -> None:
        for seen in self._seen.values():
            seen.set(tuple(self._members.values()))


@dataclass
class Ear:
    """A sink that keeps what it heard."""

    blocks: list[NDArray[np.float32]] = field(default_factory=list)
    closed: bool = False

    def write(self, block: NDArray[np.float32]) -> None:
        self.blocks.append(block)

    def close(self) -> None:
        self.closed = True

    @property
    def frames(self) -> int:
        return sum(map(len, self.blocks))

    def newest(self, seconds: float) -> NDArray[np.float32]:
        """The last `seconds`, shape (frames, 2); shorter if there was less."""
        frames = int(seconds * SAMPLE_RATE_HZ)
        return np.concatenate([np.zeros((0, 2), np.float32), *self.blocks[-frames // 120 :]])[-frames:]


@dataclass
class Member:
    """One mesh in the room, and what it hears of whom."""

    id: PeerId
    mesh: Mesh
    task: asyncio.Task[None]
    ears: dict[PeerId, list[Ear]]
    texts: list[tuple[str, str]]
    """What came over `sync`, and from whom."""
    plays: bool = True

    def hears(self, peer: str, frequency_hz: float) -> bool:
        """Whether the last 0.2 s from `peer` are a clean tone of this frequency, at the level it was played."""
        ears = self.ears.get(PeerId(peer))
        sound = ears[-1].newest(0.2)[:, 0] if ears else np.zeros(0)
        if len(sound) < SAMPLE_RATE_HZ // 5:
            return False
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        loudest_hz = float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(sound)
        level = float(np.sqrt(2 * np.mean(sound**2)))
        return abs(loudest_hz - frequency_hz) < 5 and abs(level - LEVEL) < 0.05


@asynccontextmanager
async def member(
    switch: Switch,
    peer: str,
    frequency_hz: float | None = None,
    readers: Mapping[str, Reader] | None = None,
    client: str = "",
    **options: int,
) -> AsyncIterator[Member]:
    """Join the room, play a tone of `frequency_hz` (none: listen only), and leave it when done."""
    sends = frequency_hz is not None
    who = Participant(PeerId(peer), peer, is_host=False, joined_at=0, client=client, sends=sends, capabilities=(CLOCK,))
    members, signals = switch.join(who)
    outgoing = Outgoing() if frequency_hz is not None else None
    ears: dict[PeerId, list[Ear]] = {}

    def open_sink(other: PeerId, name: str) -> Ear:
        ears.setdefault(other, []).append(Ear())
        return ears[other][-1]

    texts: list[tuple[str, str]] = []
    all_readers: dict[str, Reader] = {SYNC: lambda other, text, _at: texts.append((other, text)), **(readers or {})}
    around = Surroundings(who.id, switch.send, open_sink, outgoing=outgoing, readers=all_readers)
    async with (
        open_mesh(around, members, signals, options.get("max_peers", 3)) as mesh,
        asyncio.TaskGroup() as group,
    ):
        joined = Member(who.id, mesh, group.create_task(mesh.run()), ears, texts)
        tone = group.create_task(_play(joined, outgoing, frequency_hz)) if outgoing and frequency_hz else None
        try:
            yield joined
        finally:
            switch.leave(who.id)
            joined.task.cancel()
            if tone is not None:
                tone.cancel()


async def _play(who: Member, outgoing: Outgoing, frequency_hz: float) -> None:
    """A steady tone in blocks of 10 ms, on time by absolute deadlines."""
    loop = asyncio.get_running_loop()
    due, position = loop.time(), 0
    while True:
        if who.plays:
            phase = 2 * np.pi * frequency_hz * np.arange(position, position + BLOCK_FRAMES) / SAMPLE_RATE_HZ
            mono = (LEVEL * np.sin(phase)).astype(np.float32)
            outgoing.write(np.stack([mono, mono], axis=1))
            position += BLOCK_FRAMES
        due += BLOCK_FRAMES / SAMPLE_RATE_HZ
        await asyncio.sleep(max(due - loop.time(), 0))
