"""The virtual WLED at a terminal: where it listens, and its strip as it shines."""

import asyncio
import shutil
import signal
import sys
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from jambridge.errors import DeviceError
from jambridge.light import drawing
from jambridge.sim.wled import SimulatedWled, open_sim

_DRAW_S = 1 / 30


async def show(*, draw: bool, **options: Any) -> int:
    """Run until stopped; `options` are those of `open_sim`.

    Raises:
        DeviceError: a port is taken.
    """
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with open_sim(**options) as sim:
            _say(sim)
            drawing_task = asyncio.create_task(_draw(sim)) if draw and sys.stdout.isatty() else None
            await stopped.wait()
            if drawing_task is not None:
                drawing_task.cancel()
    except OSError as exc:
        raise DeviceError(
            f"the virtual WLED cannot listen: {exc.strerror} (does another one run? See --http-port and the others)"
        ) from exc
    return 0


def _say(sim: SimulatedWled) -> None:
    traits = sim.unit.traits
    sys.stdout.write(
        f"{traits.name} mac={traits.mac} pixels={traits.pixels} http={sim.http_port} ddp={sim.ddp_port} "
        f"udp={sim.udp_port} e131={sim.e131_port}\n"
    )
    sys.stdout.flush()


async def _draw(sim: SimulatedWled) -> None:
    with Live(console=Console(), auto_refresh=False) as live:
        while True:
            shown = sim.newest.value
            traits = sim.unit.traits
            columns = shutil.get_terminal_size().columns - 20
            pixels = shown.pixels if shown else bytes(traits.pixels * traits.channels)
            strip = Text.from_ansi(drawing.line(pixels, traits.channels, columns, linear=traits.no_gc))
            state = "live" if shown and shown.live else "own"
            live.update(Text.assemble(strip, f"  {state} {sim.fps} fps"), refresh=True)
            await asyncio.sleep(_DRAW_S)
