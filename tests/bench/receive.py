"""How late a peer's sound is here, and what receiving costs. Prints tables; asserts nothing.

A click's time is that of the block of 2.5 ms that carries it, as it is handed to the encoder in another process. The
sink is called in this one: waiting for the packet to fill (5 ms on average), the encoder's look-ahead (2.5 ms), both
loops, the network and the decoder are in the figure; sound card and detector are not.
"""

import asyncio
import contextlib
import time

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from jambridge.peers.mesh import open_mesh
from jambridge.peers.peer import Surroundings
from jambridge.room.messages import Participant
from jambridge.units import PeerId
from tests.fakes.remote_peer import remote_peer
from tests.fakes.switch import Switch
from tests.fakes.waiting import until

CLICKS = 105
CPU_SECONDS = 10.0
LOUD = 0.1


class Stopwatch:
    """A sink that notes when a click begins."""

    def __init__(self) -> None:
        self.heard: list[float] = []
        self.blocks = 0
        self._quiet = True

    def write(self, block: NDArray[np.float32]) -> None:
        loud = bool(np.abs(block).max() > LOUD)
        if loud and self._quiet:
            self.heard.append(time.monotonic())
        self._quiet = not loud
        self.blocks += 1

    def close(self) -> None: ...


async def click_latency_ms(clicks: int) -> NDArray[np.float64]:
    switch, watch = Switch(), Stopwatch()
    members, signals = switch.join(Participant(PeerId("m"), "bench", is_host=True, joined_at=0, sends=False))
    async with (
        open_mesh(Surroundings(PeerId("m"), switch.send, lambda _, __: watch), members, signals, 3) as mesh,
        remote_peer(switch, "p", "clicks") as player,
    ):
        running = asyncio.create_task(mesh.run())
        await until(lambda: len(watch.heard) > clicks, seconds=30 + clicks / 3)
        running.cancel()
        await asyncio.wait([running])
    played = np.array(player.clicks)
    pairs = [(at, played[played < at]) for at in watch.heard]
    return 1000 * np.array([at - before[-1] for at, before in pairs if len(before)])


async def receiving_share(peers: int, seconds: float) -> tuple[float, float]:
    """Share of one core for so many peers of 100 packets a second, and the packets a second that came."""
    switch = Switch()
    watches: list[Stopwatch] = []

    def open_sink(_: PeerId, __: str) -> Stopwatch:
        watches.append(Stopwatch())
        return watches[-1]

    members, signals = switch.join(Participant(PeerId("m"), "bench", is_host=True, joined_at=0, sends=False))
    async with open_mesh(Surroundings(PeerId("m"), switch.send, open_sink), members, signals, peers) as mesh:
        running = asyncio.create_task(mesh.run())
        async with contextlib.AsyncExitStack() as stack:
            for index in range(peers):
                await stack.enter_async_context(remote_peer(switch, f"p{index}", str(220 * (index + 1))))
            await until(lambda: len(watches) == peers and all(watch.blocks > 100 for watch in watches), seconds=60)
            blocks, cpu_s, began = sum(watch.blocks for watch in watches), time.process_time(), time.monotonic()
            await asyncio.sleep(seconds)
            passed = time.monotonic() - began
            share = (time.process_time() - cpu_s) / passed
            rate = (sum(watch.blocks for watch in watches) - blocks) / passed
        running.cancel()
        await asyncio.wait([running])
    return share, rate


def main() -> None:
    latency_ms = asyncio.run(click_latency_ms(CLICKS))
    share, rate = asyncio.run(receiving_share(3, CPU_SECONDS))
    table = Table("what", "measured", "bar")
    p50, p99 = np.percentile(latency_ms, [50, 99])
    table.add_row(
        f"click → sink, two processes, {len(latency_ms)} clicks, p50 / p99 ms", f"{p50:.1f} / {p99:.1f}", "9.3 / 14.4"
    )
    table.add_row(f"receiving three peers ({rate:.0f} packets/s), share of one core", f"{share:.3f}", "0.062")
    Console().print(table)


if __name__ == "__main__":
    main()
