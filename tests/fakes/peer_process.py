"""A musician in a process of its own: plays a tone or clicks, and may be killed. Signals go as JSON lines.

Standard input: {"members": [[key, presence payload], ...]} and {"signal": sender's payload}. Standard output:
{"signal": payload, "to": id}, and {"click": CLOCK_MONOTONIC seconds} for each click as it is written.
"""

import asyncio
import json
import sys
import time

import numpy as np

from jambridge.edges import Bounded, Latest
from jambridge.peers.mesh import open_mesh
from jambridge.peers.outgoing import Outgoing
from jambridge.peers.peer import Surroundings
from jambridge.room.messages import Participant, Signal, parse_participant, parse_signal, signal_payload
from jambridge.units import PeerId

BLOCK_FRAMES = 120  # 2.5 ms
CLICK_EVERY_BLOCKS = 80


def tell(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


async def listen(members: Latest[tuple[Participant, ...]], signals: Bounded[Signal]) -> None:
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        message = json.loads(line)
        if "members" in message:
            members.set(tuple(parse_participant(key, meta) for key, meta in message["members"]))
        else:
            signals.offer(parse_signal(message["signal"]))


async def play(outgoing: Outgoing, sound: str) -> None:
    """A tone of `sound` hertz, or clicks at odd moments, in the small blocks of a sound card, on time."""
    loop = asyncio.get_running_loop()
    rng = np.random.default_rng(1)
    time_s = np.arange(BLOCK_FRAMES) / 48_000
    click = (0.8 * np.sin(2 * np.pi * 3000 * time_s)).astype(np.float32)
    silence = np.zeros(BLOCK_FRAMES, np.float32)
    due, block, next_click = loop.time(), 0, CLICK_EVERY_BLOCKS
    while True:
        mono = silence
        if sound != "clicks":
            phase = 2 * np.pi * float(sound) * (block * BLOCK_FRAMES / 48_000 + time_s)
            mono = (0.5 * np.sin(phase)).astype(np.float32)
        elif block == next_click:
            mono = click
            next_click += CLICK_EVERY_BLOCKS + int(rng.integers(8))  # at every place within a packet
            tell({"click": time.monotonic()})
        outgoing.write(np.stack([mono, mono], axis=1))
        block += 1
        due += BLOCK_FRAMES / 48_000
        await asyncio.sleep(max(due - loop.time(), 0))


async def main(self_id: str, sound: str) -> None:
    members: Latest[tuple[Participant, ...]] = Latest(())
    signals: Bounded[Signal] = Bounded(100)
    outgoing = Outgoing()

    def send(signal: Signal) -> None:
        tell({"signal": signal_payload(signal), "to": signal.target})

    async with (
        open_mesh(
            Surroundings(PeerId(self_id), send, lambda _, __: None, outgoing=outgoing), members, signals, 3
        ) as mesh,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(mesh.run())
        group.create_task(play(outgoing, sound))
        await listen(members, signals)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
