"""What leaves for the strips: whole frames, in step, in time, at what cost; and how they are handed back and followed.

The light process runs as it does in the daemon, on music; the WLEDs are the virtual one's code, fed with the kernel's
times of arrival. The rows of the fleet are a daemon's, on hosts of network namespaces.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.feed import Feeds
from jambridge.audio.file import open_sound
from jambridge.audio.pace import BLOCK_FRAMES, paced, stereo_blocks
from jambridge.audio.ring import Feed
from jambridge.edges import Latest
from jambridge.errors import DeviceError
from jambridge.light import ddp, e131
from jambridge.light.control import LightSettings, Report
from jambridge.light.link import UdpLink
from jambridge.light.process import Lights, open_light
from jambridge.light.wled import Protocol
from jambridge.units import PeerId
from tests.bench import fleet
from tests.bench.stage import table
from tests.bench.strips import Showing, Strip, listening, steady
from tests.fakes.waiting import until

SECONDS = 30.0
SETTLE_S = 2.0
SENT = 600
HUM = (0.003 * np.sin(2 * np.pi * 100 * np.arange(BLOCK_FRAMES) / 48_000))[:, np.newaxis].astype(np.float32)
"""Below the music, which pauses: frames go on where anything sounds."""
MUSIC = Path(__file__).parents[1] / "fixtures" / "music" / "bach_guitar.flac"
FOUR_OUTPUTS = (375, 375, 375, 375)


@asynccontextmanager
async def lighting(strips: Sequence[Strip]) -> AsyncIterator[tuple[Lights, "asyncio.Task[None]"]]:
    """The light process on music, driving them; and what runs it here."""
    feeds = Feeds(1)
    controllers = Latest(tuple(strip.controller for strip in strips))
    with listening(strips):
        async with open_light(feeds.rings, feeds.wakes, feeds.sources, controllers, Latest(LightSettings())) as lights:
            feed = feeds.open(PeerId("music"), "music")
            assert feed is not None
            tasks = [asyncio.create_task(lights.run()), asyncio.create_task(_play(feed))]
            try:
                await until(lambda: all(strip.arrivals for strip in strips))
                await asyncio.sleep(SETTLE_S)
                yield lights, tasks[0]
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def _play(feed: Feed) -> None:
    while True:
        async for block in paced(stereo_blocks(open_sound(MUSIC))):
            feed.write(block + HUM)


async def showings(strips: Sequence[Strip], seconds: float) -> list[Showing]:
    async with lighting(strips):
        began = time.monotonic()
        await asyncio.sleep(seconds)
    return [strip.showing(began) for strip in strips]


async def cores(strip: Strip, seconds: float) -> tuple[float, float]:
    """Of the whole process, and of what is not detection."""
    async with lighting([strip]) as (lights, _):
        before, began = _report(lights), time.monotonic()
        await asyncio.sleep(seconds)
        after, elapsed_s = _report(lights), time.monotonic() - began
    whole_s, detecting_s = after.cpu_s - before.cpu_s, after.detector_s - before.detector_s
    return whole_s / elapsed_s, (whole_s - detecting_s) / elapsed_s


def sending_core(protocol: Protocol) -> float:
    """Of 1500 pixels, 60 frames a second: from finished bytes to the network."""
    strip = Strip(FOUR_OUTPUTS, protocol)
    controller, frame = strip.controller, np.ones((strip.traits.pixels, 3), np.uint8)
    universes = e131.Encoder(e131.Sender(bytes(16), "bench"), 1, strip.traits.pixels, 3)
    with listening([strip]):
        link = UdpLink(controller)
        began_s = time.thread_time()
        for index in range(SENT):
            link.send(ddp.encode(frame, index) if protocol == "ddp" else universes.encode(frame, index))
        taken_s = time.thread_time() - began_s
        link.close()
    return 60 * taken_s / SENT


async def hand_back_ms(how: signal.Signals) -> float:
    """From a signal to the light process until the first release arrives."""
    strip = Strip([300])
    try:
        async with lighting([strip]) as (lights, running):
            asked = time.monotonic()
            os.kill(lights.pid, how)
            await asyncio.wait({running}, timeout=5)
    except DeviceError:
        pass
    return 1000 * (strip.releases[0].at - asked) if strip.releases else float("inf")


def skew_ms(showings_of: Sequence[Showing]) -> NDArray[np.float64]:
    """Of each frame of the first strip, how far apart it and the nearest of the others arrive."""
    first, *others = (np.array(one.pushed) for one in showings_of)
    nearest = [other[np.abs(other[:, np.newaxis] - first).argmin(axis=0)] for other in others]
    times = np.stack([first, *nearest])
    spread: NDArray[np.float64] = 1000 * (times.max(axis=0) - times.min(axis=0))
    return spread


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    sending(seconds)
    fleet.main()


def sending(seconds: float) -> None:
    rows = []
    each = [(150,), (600,), (1500,), FOUR_OUTPUTS]
    for outputs, one in zip(each, asyncio.run(showings([Strip(outputs) for outputs in each], seconds)), strict=True):
        formula = min(60.0, 0.9 / (30e-6 * max(outputs) + 0.3e-3))
        name = f"{sum(outputs)} pixels on {len(outputs)}: frames shown, torn"
        rows.append((name, f"{100 * one.shown / len(one.pushed):.1f} %, {one.torn}", "99 %, 0"))
        rows.append(("    a second, of the formula's", f"{len(one.pushed) / seconds:.1f} of {formula:.1f}", "0.9"))
    four = asyncio.run(showings([Strip(FOUR_OUTPUTS) for _ in range(4)], seconds))
    p50, p95, most = np.quantile(skew_ms(four), [0.5, 0.95, 1.0])
    rows.append(("skew of four, p50 / p95 / most, ms", f"{p50:.2f} / {p95:.2f} / {most:.2f}", "p95 2"))
    gaps_ms = 1000 * np.diff(four[0].pushed)
    p1, p50, p99 = np.quantile(gaps_ms, [0.01, 0.5, 0.99])
    rows.append(
        ("between frames, p1 / p50 / p99 / most, ms", f"{p1:.1f} / {p50:.1f} / {p99:.1f} / {gaps_ms.max():.1f}", "50")
    )
    rows.append(
        (
            "    sd of all; of those that no attack hurried, ms",
            f"{gaps_ms.std():.2f}; {steady(gaps_ms).std():.2f}",
            "0.5",
        )
    )
    protocols: tuple[Protocol, ...] = ("ddp", "e131")
    for protocol in protocols:
        whole, alone = asyncio.run(cores(Strip(FOUR_OUTPUTS, protocol), seconds))
        rows.append((f"1500 pixels over {protocol}: light process, core", f"{whole:.3f}", "0.06"))
        rows.append(
            ("    of it, all but detection; to pack and send", f"{alone:.3f}; {sending_core(protocol):.4f}", "0.01")
        )
    rows += [
        (f"{how.name} to the light process → released, ms", f"{asyncio.run(hand_back_ms(how)):.1f}", "100")
        for how in (signal.SIGTERM, signal.SIGKILL)
    ]
    table(f"What leaves for the strips, {seconds:.0f} s a row", ("", "measured", "bar"), rows)


def _report(lights: Lights) -> Report:
    assert lights.report
    return lights.report


if __name__ == "__main__":
    main()
