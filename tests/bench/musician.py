"""A musician of the benches, in a process: `python -m tests.bench.musician HUB ROOM NUMBER ACT [CONFIG]`.

`short` and `held` strike keys, their turn among three at a time, and say of each one JSON object: when its first
audible sample was handed over (time.monotonic(), which the processes of a machine share), and which key. `music` plays
a fixture again and again, and says first when it was in the room; `fast` and `slow` have a card that is 100 ppm off.
All hand over blocks of 128 frames, as a sound card does. CONFIG is a bridge's, for the servers that connections are
made with.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jambridge import config_sources, realtime, sections
from jambridge.peers.ice_servers import IceServers
from jambridge.player import open_player
from jambridge.room.client import topic_of
from jambridge.room.edges import Address
from jambridge.units import MidiNote, RoomCode
from tests.bench import keys
from tests.scenarios import music

RATE_HZ = 48_000
BLOCK_FRAMES = 128
PLAYERS = 3
TURN_S = 0.4  # two and a half attacks a second over all
JITTER_S = 0.05
PACE = {"fast": 1 + 1e-4, "slow": 1 - 1e-4}
STRIKE_S = {"short": 0.24, "held": 1.1}
LOWEST, HIGHEST = 48, 84

Sound = NDArray[np.float32]


class Struck:
    """The sound of one player who strikes a key in each turn of theirs."""

    def __init__(self, number: int, length_s: float) -> None:
        self._number = number
        self._length_s = length_s
        self._random = np.random.default_rng(number)
        self._sound = np.zeros(0, np.float32)
        self._note = MidiNote(0)
        self._audible_in: int | None = None
        self._turn = -1

    def next(self) -> tuple[Sound, MidiNote | None]:
        """A block, and the key whose first audible sample is in it."""
        self._strike_in_turn()
        block = np.zeros(BLOCK_FRAMES, np.float32)
        block[: len(self._sound)] = self._sound[:BLOCK_FRAMES]
        self._sound = self._sound[BLOCK_FRAMES:]
        if self._audible_in is None:
            return block, None
        self._audible_in -= BLOCK_FRAMES
        if self._audible_in >= 0:
            return block, None
        self._audible_in = None
        return block, self._note

    def _strike_in_turn(self) -> None:
        turn = int(time.monotonic() / TURN_S)
        if turn == self._turn or turn % PLAYERS != self._number:
            return
        self._turn = turn
        self._note = MidiNote(int(self._random.integers(LOWEST, HIGHEST + 1)))
        struck = keys.strike(self._note, self._length_s, self._random)
        wait = int(self._random.uniform(0, JITTER_S) * RATE_HZ)
        self._sound = np.concatenate([np.zeros(wait, np.float32), struck])
        self._audible_in = wait + keys.first_audible(struck)


def repeated(sound: Sound) -> Iterator[Sound]:
    while True:
        whole = len(sound) // BLOCK_FRAMES * BLOCK_FRAMES
        yield from sound[:whole].reshape(-1, BLOCK_FRAMES)


async def main(hub: str, room: str, number: int, act: str, config: str | None = None) -> None:
    struck = Struck(number, STRIKE_S[act]) if act in STRIKE_S else None
    piece = repeated(music.load(music.PIECES[number % len(music.PIECES)]))
    address, topic = Address(hub, "lan"), topic_of("room:{code}", RoomCode(room))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with open_player(address, topic, f"Musician {number + 1}", _ice_servers(config)) as outgoing:
        rate_hz = RATE_HZ * PACE.get(act, 1.0)
        realtime.spare_what_stands()  # as a box does: each full collection had been a stall of 15 ms
        start, blocks = time.monotonic(), 0
        if struck is None:
            print(json.dumps({"seated": start}), flush=True)
        while not ended.is_set():
            block, note = struck.next() if struck else (next(piece), None)
            handed_over = time.monotonic()
            outgoing.write(np.stack([block, block], axis=1))
            if note is not None:
                sys.stdout.write(json.dumps({"at": handed_over, "midi": note}) + "\n")
            blocks += 1
            await asyncio.sleep(start + blocks * BLOCK_FRAMES / rate_hz - time.monotonic())
    sys.stdout.flush()


def _ice_servers(file: str | None) -> IceServers | None:
    if file is None:
        return None
    config = config_sources.build(config_sources.from_yaml(Path(file).read_text(), file))
    return IceServers(sections.ice_servers(config), relay_only=config.webrtc.policy == "relay")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:6]))
