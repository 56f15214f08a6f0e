"""Who plays the demo's piece over real WebRTC, again and again, in a thread beside browsers."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources

from jambridge import player
from jambridge.audio.file import open_sound
from jambridge.audio.pace import Stereo, stereo_blocks
from jambridge.room.edges import Address


@contextmanager
def playing(hub_port: int, room: str, name: str) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    task: asyncio.Task[None] | None = None

    def run() -> None:
        nonlocal task
        address = Address(f"http://127.0.0.1:{hub_port}", "lan")
        task = loop.create_task(player.play(address, f"room:{room}", name, _piece()))
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        if task is not None:
            loop.call_soon_threadsafe(task.cancel)
        thread.join(20)


def _piece() -> Iterator[Stereo]:
    with resources.as_file(resources.files("jambridge.demo") / "bach.opus") as bach:
        while True:
            yield from stereo_blocks(open_sound(bach))
