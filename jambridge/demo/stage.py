"""The demo: a hub, the daemon, a player over real WebRTC, and a virtual WLED drawn in the terminal."""

import asyncio
import itertools
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib import resources
from pathlib import Path

import aiohttp
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from jambridge import addresses, player
from jambridge.audio.file import open_sound
from jambridge.audio.pace import Stereo, silence, stereo_blocks
from jambridge.errors import UnavailableError
from jambridge.light import drawing
from jambridge.room import code
from jambridge.room.edges import Address
from jambridge.sim.wled import SimulatedWled, open_sim
from jambridge.status import invitation
from jambridge.strict_json import JsonObject

PIXELS = 120
_DRAW_S = 1 / 30
_READY_WITHIN_S = 30.0
_STOP_WITHIN_S = 3.0


async def perform(sound: Path | None, *, again: bool) -> None:
    """Play `sound`, or the piece that comes with jambridge, once or until stopped.

    Raises:
        UnavailableError: the daemon did not come up; its log is named.
    """
    room = code.generate()
    ports = {name: _free_port() for name in ("hub", "tls", "http")}
    with tempfile.TemporaryDirectory(prefix="jambridge-demo-") as folder:
        async with open_sim(PIXELS, "Demo strip") as sim, _daemon(room, ports, sim, Path(folder)) as board:
            hub = Address(f"http://127.0.0.1:{ports['hub']}", "demo")
            playing = asyncio.create_task(_play(hub, f"room:{room}", sound, again=again))
            drawing_task = asyncio.create_task(
                _draw(
                    sim,
                    board,
                    invitation.link(f"https://{addresses.default_route() or '127.0.0.1'}:{ports['tls']}", room),
                )
            )
            try:
                await playing
            finally:
                drawing_task.cancel()
    sys.stdout.write("That was the demo (--loop: again and again). Your own jam: jambridge --room ABC123\n")


async def _play(hub: Address, topic: str, sound: Path | None, *, again: bool) -> None:
    with resources.as_file(resources.files("jambridge.demo") / "bach.opus") as bach:
        await player.play(hub, topic, "Johann Sebastian", _repeated(sound or bach, again=again))


def _repeated(path: Path, *, again: bool) -> Iterator[Stereo]:
    """The piece, behind a second of silence in which the connection is made."""
    yield from silence(1.0)
    while True:
        yield from stereo_blocks(open_sound(path))
        if not again:
            yield from silence(0.5)
            return


@asynccontextmanager
async def _daemon(room: str, ports: Mapping[str, int], sim: SimulatedWled, folder: Path) -> AsyncIterator["_Board"]:
    """The real daemon, told by its environment to use the virtual strip and free ports."""
    controller = {
        "host": sim.address,
        "http_port": sim.http_port,
        "data_port": sim.ddp_port,
        "udp_port": sim.udp_port,
    }
    environment = {
        **os.environ,
        "JAMBRIDGE_STATE": str(folder),
        "JAMBRIDGE_CONFIG": os.devnull,
        "JAMBRIDGE_HUB__MODE": "host",
        "JAMBRIDGE_HUB__PORT": str(ports["hub"]),
        "JAMBRIDGE_HUB__TLS_PORT": str(ports["tls"]),
        "JAMBRIDGE_HUB__ADVERTISE": "false",
        "JAMBRIDGE_HTTP__PORT": str(ports["http"]),
        "JAMBRIDGE_AUDIO__INPUT": "none",
        "JAMBRIDGE_LIGHT__DISCOVER": "off",
        "JAMBRIDGE_LIGHT__CONTROLLERS": json.dumps([controller]),
    }
    log = folder / "daemon.log"
    with log.open("w") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jambridge", "run", "--room", room, "--name", "Box", "--with-parent"),
            stdin=asyncio.subprocess.PIPE,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    board = _Board(f"http://127.0.0.1:{ports['http']}")
    try:
        await board.wait_ready(process, log)
        yield board
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_WITHIN_S):
                await process.wait()


class _Board:
    """What the daemon says of itself."""

    def __init__(self, base: str) -> None:
        self._base = base

    async def status(self) -> JsonObject | None:
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=1)
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{self._base}/status") as answer:
                status: JsonObject = await answer.json()
                return status
        return None

    async def wait_ready(self, process: asyncio.subprocess.Process, log: Path) -> None:
        """Until the daemon is in the room and drives the strip."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_READY_WITHIN_S):
                while process.returncode is None:
                    status = await self.status()
                    lit = status and any(one["state"] == "driven" for one in status["light"]["controllers"])
                    if status and lit and status["room"]["connection"] == "connected":
                        return
                    await asyncio.sleep(0.1)
        raise UnavailableError(f"the demo's daemon did not come up:\n{log.read_text()[-2000:]}")  # noqa: ASYNC240  at the end


async def _draw(sim: SimulatedWled, board: _Board, link: str) -> None:
    """The strip as it shines, and under it the notes by name."""
    console = Console()
    columns = min(shutil.get_terminal_size().columns - 2, PIXELS // 2)
    with Live(console=console, auto_refresh=False, transient=False) as live:
        names = ""
        for frame in itertools.count():
            if frame % 5 == 0:
                status = await board.status()
                sources = status["notes"]["sources"] if status else []
                names = "   ".join(f"{one['name']}: {' '.join(one['notes'])}" for one in sources)
            shown = sim.newest.value
            pixels = shown.pixels if shown else bytes(PIXELS * 3)
            strip = Text.from_ansi(drawing.line(pixels, 3, columns, linear=True))
            foot = Text(f"{sim.fps} frames/s   {names}", style="dim")
            live.update(Group(Text(f"Join in: {link}"), strip, strip, foot), refresh=True)
            await asyncio.sleep(_DRAW_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
