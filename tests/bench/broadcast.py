"""Broadcast mode without a network: from a note in the host's ring to the strip of a guest that shows its colours."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import numpy as np

from jambridge.audio.feed import Feeds
from jambridge.audio.ring import Feed
from jambridge.edges import Latest
from jambridge.light.control import LightSettings, Picture
from jambridge.light.process import Lights, open_light
from jambridge.light.wled import Controller
from jambridge.sim.virtual import Shown
from jambridge.sim.wled import SimulatedWled, open_sim
from jambridge.units import SAMPLE_RATE_HZ, PeerId
from tests.bench.stage import table

SECONDS = 45.0
PACKET = 960
NOTE_EVERY = 50  # packets: a second
SETTLE = 3  # notes
LIT = 10  # of 255
ANSWER_S = 0.4


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    delays_ms, missed = asyncio.run(_measure(seconds))
    p50, p99 = np.quantile(delays_ms, [0.5, 0.99])
    rows = [
        ("note in the host's ring → guest's strip, p50 / p99, ms", f"{p50:.1f} / {p99:.1f}", "100 / 150"),
        ("notes; not shown", f"{len(delays_ms)}; {missed}", "-; 0"),
    ]
    table("Broadcast mode, without a network", ("", "measured", "bar"), rows)


async def _measure(seconds: float) -> tuple[list[float], int]:
    begun: list[float] = []
    lit: list[float] = []
    given: Latest[Picture | None] = Latest(None)
    host, guest = Feeds(1), Feeds(1)
    guest.open(PeerId("host"), "Host")  # somebody is there, and nothing of it is heard
    feed = host.open(PeerId("ada"), "Ada")
    assert feed is not None

    def look(shown: Shown) -> bool:
        if max(shown.pixels) > LIT:
            lit.append(shown.at)
        return False

    async with AsyncExitStack() as stack:
        sim = await stack.enter_async_context(open_sim(30))
        shares, shows = LightSettings(shares=True), LightSettings(mode="broadcast")
        sender = await stack.enter_async_context(_light(host, shares, (), Latest(None), given))
        shower = await stack.enter_async_context(_light(guest, shows, (_controller(sim),), given, Latest(None)))
        tasks = [asyncio.create_task(one) for one in (sender.run(), shower.run(), _play(feed, begun))]
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await sim.until(look)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    answers = [next((at - one for at in lit if one < at < one + ANSWER_S), None) for one in begun[SETTLE:-1]]
    found = [1000 * answer for answer in answers if answer is not None]
    return found, len(answers) - len(found)


@asynccontextmanager
async def _light(
    feeds: Feeds,
    settings: LightSettings,
    controllers: tuple[Controller, ...],
    given: Latest[Picture | None],
    told: Latest[Picture | None],
) -> AsyncIterator[Lights]:
    async with open_light(
        feeds.rings,
        feeds.wakes,
        feeds.sources,
        Latest(controllers),
        Latest(settings),
        given=given,
        share=told.set,
    ) as lights:
        yield lights


async def _play(feed: Feed, begun: list[float]) -> None:
    """A plucked A3 of 0.3 s, once a second."""
    clock = asyncio.get_running_loop().time
    due, packet = clock(), 0
    while True:
        at = np.arange(packet % NOTE_EVERY * PACKET, (packet % NOTE_EVERY + 1) * PACKET) / SAMPLE_RATE_HZ
        if packet % NOTE_EVERY == 0:
            begun.append(time.monotonic())
        partials = np.sum([np.sin(2 * np.pi * 220 * k * at) / k for k in range(1, 6)], axis=0)
        feed.write((0.2 * np.exp(-3 * at) * partials * (at < 0.3)).astype(np.float32)[:, np.newaxis])
        packet += 1
        due += PACKET / SAMPLE_RATE_HZ
        await asyncio.sleep(max(0.0, due - clock()))


def _controller(sim: SimulatedWled) -> Controller:
    traits = sim.unit.traits
    return Controller(
        traits.mac, traits.name, "127.0.0.1", traits.pixels, data_port=sim.ddp_port, udp_port=sim.udp_port
    )


if __name__ == "__main__":
    main()
