"""Starts `peer_process` and joins it to a `Switch`."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jambridge.edges import Bounded, Latest
from jambridge.room.messages import Participant, Signal, parse_signal, presence_payload, signal_payload
from jambridge.units import PeerId
from tests.fakes.switch import Switch

ROOT = Path(__file__).parents[2]


@dataclass
class RemotePeer:
    process: asyncio.subprocess.Process
    clicks: list[float] = field(default_factory=list)

    def kill(self) -> None:
        """As the power cut does it: no bye, no farewell of DTLS."""
        self.process.kill()


@asynccontextmanager
async def remote_peer(switch: Switch, peer: str, sound: str) -> AsyncIterator[RemotePeer]:
    members, signals = switch.join(Participant(PeerId(peer), peer, is_host=False, joined_at=0, sends=True))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.fakes.peer_process", peer, sound),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        limit=1 << 20,
    )
    remote = RemotePeer(process)
    tasks = [
        asyncio.create_task(_tell_members(process, members)),
        asyncio.create_task(_tell_signals(process, signals)),
        asyncio.create_task(_listen(remote, switch)),
    ]
    try:
        yield remote
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        switch.leave(PeerId(peer))


def _write(process: asyncio.subprocess.Process, message: dict[str, object]) -> None:
    assert process.stdin is not None
    if not process.stdin.is_closing():
        process.stdin.write(json.dumps(message).encode() + b"\n")


async def _tell_members(process: asyncio.subprocess.Process, members: Latest[tuple[Participant, ...]]) -> None:
    while True:
        seen = members.value
        _write(process, {"members": [[member.id, presence_payload(member)] for member in seen]})
        await members.changed(seen)


async def _tell_signals(process: asyncio.subprocess.Process, signals: Bounded[Signal]) -> None:
    while True:
        _write(process, {"signal": signal_payload(await signals.get())})


async def _listen(remote: RemotePeer, switch: Switch) -> None:
    assert remote.process.stdout is not None
    async for line in remote.process.stdout:
        message = json.loads(line)
        if "click" in message:
            remote.clicks.append(message["click"])
        else:
            switch.send(parse_signal(message["signal"]))
