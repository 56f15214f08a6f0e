"""The light process as it runs: real rings, a real detector, a virtual WLED at the other end of real sockets."""

import asyncio
import base64
import colorsys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.feed import Feeds
from jambridge.audio.ring import Feed
from jambridge.edges import Latest
from jambridge.light.colour import GAMMA
from jambridge.light.control import LightSettings, MidiPlayer, Picture, Report
from jambridge.light.music import Music
from jambridge.light.presenting import Timing
from jambridge.light.process import Lights, open_light
from jambridge.light.wled import Controller
from jambridge.notes.stroke import Stroke
from jambridge.sim.virtual import Shown
from jambridge.sim.wled import SimulatedWled
from jambridge.sync.clock import Course
from jambridge.sync.service import ClockReport
from jambridge.units import LocalSeconds, PeerId, RoomSeconds
from tests.fakes.waiting import until

RATE = 48_000
PACKET = 960
PATIENCE_S = 40  # several workers may share two cores


def controller(sim: SimulatedWled) -> Controller:
    traits = sim.unit.traits
    return Controller(
        traits.mac, traits.name, "127.0.0.1", traits.pixels, data_port=sim.ddp_port, udp_port=sim.udp_port
    )


def tone(at: int, hz: float = 220.0) -> NDArray[np.float32]:
    """One packet of a plucked string, struck twice a second; 220 Hz is A3, at 30° a semitone from C violet."""
    seconds = np.arange(at, at + PACKET) / RATE
    partials = np.sum([np.sin(2 * np.pi * hz * k * seconds) / k for k in range(1, 6)], axis=0)
    return np.asarray(0.2 * np.exp(-3 * (seconds % 0.5)) * partials, np.float32)[:, np.newaxis]


async def play(feed: Feed, sound: Callable[[int], NDArray[np.float32]] = tone) -> None:
    """At the pace of real packets, until cancelled."""
    due = asyncio.get_running_loop().time()
    while True:
        feed.write(sound(feed.written))
        due = max(due + PACKET / RATE, asyncio.get_running_loop().time() - 0.1)
        await asyncio.sleep(due - asyncio.get_running_loop().time())


def hue(shown: Shown) -> int | None:
    """Of the first pixel, in steps of 30 degrees; None where it is dark or white."""
    return _hue(*((level / 255) ** (1 / GAMMA) for level in shown.pixels[:3]))


def told_hue(picture: Picture) -> int | None:
    """As `hue`, of what is told others."""
    return _hue(*(level / 255 for level in base64.b64decode(picture.rgb)[:3]))


def _hue(red: float, green: float, blue: float) -> int | None:
    angle, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    return round(12 * angle) % 12 * 30 if value > 0.2 and saturation > 0.5 else None


def is_violet(shown: Shown) -> bool:
    return shown.live and hue(shown) == 270


class Rig:
    """What outlives the light process."""

    def __init__(self, *sims: SimulatedWled) -> None:
        self.feeds = Feeds(3)
        self.controllers = Latest(tuple(map(controller, sims)))
        self.settings = Latest(LightSettings())
        self.clock = Latest(ClockReport(Course(LocalSeconds(0.0), RoomSeconds(0.0))))
        self.music = Latest(Music())
        self.given: Latest[Picture | None] = Latest(None)
        self.midi: Latest[tuple[MidiPlayer, ...]] = Latest(())
        self.timing = Latest(Timing())
        self.share: Callable[[Picture], None] = lambda _: None
        self.present: list[Lights] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Lights]:
        feeds = self.feeds
        async with open_light(
            feeds.rings,
            feeds.wakes,
            feeds.sources,
            self.controllers,
            self.settings,
            self.clock,
            self.music,
            self.given,
            self.midi,
            self.timing,
            share=self.share,
        ) as lights:
            self.present.append(lights)
            yield lights

    def key(self, *strokes: Stroke) -> None:
        """Ann's, over MIDI."""
        self.midi.set((MidiPlayer(PeerId("Ann"), "Ann", "piano", is_line_in=False, strokes=strokes),))

    def player(self, name: str = "Ann") -> Feed:
        feed = self.feeds.open(PeerId(name), name)
        assert feed
        return feed


@asynccontextmanager
async def background(*coroutines: Coroutine[None, None, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def report_of(lights: Lights, holds: Callable[[Report], bool]) -> Report:
    await until(lambda: lights.report is not None and holds(lights.report))
    assert lights.report
    return lights.report
