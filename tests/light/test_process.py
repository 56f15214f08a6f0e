"""The light process as it runs: real rings, a real detector, a virtual WLED at the other end of real sockets."""

import asyncio
import base64
import colorsys
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from jambridge.audio.feed import Feeds
from jambridge.audio.ring import Feed
from jambridge.edges import Latest
from jambridge.errors import DeviceError
from jambridge.light import control, process
from jambridge.light.colour import GAMMA
from jambridge.light.control import LightSettings, MidiPlayer, Picture, Report
from jambridge.light.music import Music
from jambridge.light.presenting import Timing
from jambridge.light.process import Lights, open_light
from jambridge.light.wled import Controller
from jambridge.light.zones import Zone
from jambridge.notes.stroke import Stroke
from jambridge.sim.virtual import Shown
from jambridge.sim.wled import SimulatedWled, open_sim
from jambridge.supervise import Health, supervise
from jambridge.sync.clock import Course
from jambridge.sync.service import ClockReport
from jambridge.units import LocalSeconds, MidiNote, PeerId, RoomSeconds
from tests.bench.strips import Strip, listening

RATE = 48_000
PACKET = 960
AHEAD_S = 1000 + 0.4 / 60  # the room's clock, and not by whole ticks
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


async def eventually(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  what is waited for has no event of its own
        await asyncio.sleep(0.01)


async def report_of(lights: Lights, holds: Callable[[Report], bool]) -> Report:
    await eventually(lambda: lights.report is not None and holds(lights.report))
    assert lights.report
    return lights.report


def test_a_tone_lights_the_strip_in_its_colour_sixty_times_a_second() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(300) as sim:
            rig = Rig(sim)
            async with rig.open() as lights, background(lights.run(), play(rig.player())):
                await sim.until(is_violet)
                report = await report_of(lights, lambda report: bool(report.sources and report.sources[0].notes))
                assert report.sources[0].name == "Ann"
                assert 57 in (await report_of(lights, lambda report: 57 in report.sources[0].notes)).sources[0].notes
                busy = await report_of(lights, lambda report: report.outputs[0].frames_sent > 60)
                assert busy.outputs[0].error is None
                assert lights.silent_s < PATIENCE_S
            frames = [one for one in sim.received if one.protocol == "ddp"]
            assert all(one.packet[0] & 1 for one in frames), "300 pixels are one packet, pushed"

    asyncio.run(scenario())


def test_an_attack_flashes_white_before_the_colour_is_known() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            feed = rig.player()
            silence = np.zeros((PACKET, 1), np.float32)

            def sound(at: int) -> NDArray[np.float32]:
                return silence if at < RATE else tone(at - RATE)

            async with rig.open() as lights, background(lights.run()):
                await report_of(lights, lambda report: len(report.sources) == 1)
                async with background(play(feed, sound)):
                    await sim.until(is_violet)
            lit = [shown.pixels for shown in sim.shown if shown.live and any(shown.pixels)]
            red, green, blue = lit[0][:3]
            assert red == green == blue > 20

    asyncio.run(scenario())


def is_dark(shown: Shown) -> bool:
    return shown.live and not any(shown.pixels)


def test_a_note_over_midi_lights_the_strip_until_it_ends_or_its_player_is_gone() -> None:
    def began() -> LocalSeconds:
        return LocalSeconds(time.monotonic())

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            async with rig.open() as lights, background(lights.run()):
                note = Stroke(MidiNote(57), 0.5, began())
                rig.key(note)
                await sim.until(is_violet)
                rig.key(replace(note, ended=began()))
                await sim.until(is_dark)
                rig.key(Stroke(MidiNote(60), 0.9, began()))
                await sim.until(lambda shown: shown.live and hue(shown) == 0)
                report = await report_of(lights, lambda report: bool(report.sources and report.sources[0].notes))
                assert (report.sources[0].name, report.sources[0].notes) == ("Ann", (60,))
                await report_of(lights, lambda report: 10 < report.outputs[0].fps < 25)  # the same frame
                rig.midi.set(())
                await sim.until(is_dark)
            colours = {hue(shown) for shown in sim.shown if shown.live}
            assert colours == {None, 270, 0}, "nothing else was shown, and no white flash"

    asyncio.run(scenario())


def test_a_new_light_process_shows_what_is_held() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig, health = Rig(sim), Health("light")
            rig.key(Stroke(MidiNote(57), 0.5, LocalSeconds(time.monotonic())))
            async with background(supervise(health, rig.open)):
                await sim.until(is_violet)
                os.kill(rig.present[0].pid, signal.SIGKILL)
                own = await sim.until(lambda shown: not shown.live)
                await sim.until(lambda shown: is_violet(shown) and shown.at > own.at)

    asyncio.run(scenario())


def test_two_strips_of_different_length_show_the_same_notes() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30, "one") as one, open_sim(700, "two") as two:
            rig = Rig(one, two)
            async with rig.open() as lights, background(lights.run(), play(rig.player())):
                await one.until(is_violet)
                shown = await two.until(is_violet)
                assert len(shown.pixels) == 2100

    asyncio.run(scenario())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_releases_every_strip_and_ends_with_zero(how: signal.Signals) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30, "one") as one, open_sim(30, "two") as two:
            rig = Rig(one, two)
            async with rig.open() as lights, background(lights.run(), play(rig.player())) as (running, _):
                await one.until(is_violet)
                await two.until(is_violet)
                asked = time.monotonic()
                os.kill(lights.pid, how)
                dark = await asyncio.gather(*(sim.until(lambda shown: not shown.live) for sim in (one, two)))
                assert max(shown.at for shown in dark) - asked < 1.5, "WLED's own time-out is later"
                with pytest.raises(ExceptionGroup) as caught:
                    await running
                assert caught.group_contains(DeviceError, match="ended")
                assert await lights.ended() == 0
            for sim in (one, two):
                streamed = [shown.pixels for shown in sim.shown if shown.live]
                assert any(streamed[-1]), "no black frame"

    asyncio.run(scenario())


def test_asked_to_release_it_does_and_stays_gone_without_failing() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            async with rig.open() as lights, background(lights.run(), play(rig.player())) as (running, _):
                await sim.until(is_violet)
                lights.release()
                await sim.until(lambda shown: not shown.live)
                assert await lights.ended() == 0
                await asyncio.sleep(0)
                assert not running.done()

    asyncio.run(scenario())


def test_when_the_main_process_is_gone_the_strips_are_released() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            fds = (rig.feeds.rings.fd, 3, RATE, rig.feeds.wakes.read_fd, theirs.fileno())
            child = await asyncio.create_subprocess_exec(
                *process.ENGINE, *map(str, fds), pass_fds=(fds[0], fds[3], fds[4])
            )
            theirs.close()
            feed = rig.player()
            with ours:
                for message in (
                    control.Sources(rig.feeds.sources.value),
                    control.Controllers(rig.controllers.value),
                ):
                    ours.send(control.encode(message))
                async with background(play(feed)):
                    await sim.until(is_violet)
            await sim.until(lambda shown: not shown.live)
            assert await child.wait() == 0

    asyncio.run(scenario())


def test_killed_the_strip_is_released_at_once_and_another_goes_on() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30, timeout_s=3600) as sim:
            rig, health = Rig(sim), Health("light")
            async with background(supervise(health, rig.open), play(rig.player())):
                await sim.until(is_violet)
                os.kill(rig.present[0].pid, signal.SIGKILL)
                own = await sim.until(lambda shown: not shown.live)
                await sim.until(lambda shown: is_violet(shown) and shown.at > own.at)
                assert health.restarts == 1
            streamed = [shown.pixels for shown in sim.shown if shown.live and shown.at < own.at]
            assert any(streamed[-1]), "no black frame"

    asyncio.run(scenario())


def test_a_strip_that_refuses_frames_is_told_once_and_once_when_it_takes_them_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> str:
        async with asyncio.timeout(PATIENCE_S), open_sim(30, "one") as one:
            async with open_sim(30, "two") as two:
                rig = Rig(one, two)
            async with rig.open() as lights, background(lights.run(), play(rig.player())):
                await report_of(lights, lambda report: any(output.errors > 60 for output in report.outputs))
                await one.until(is_violet)
                assert len(one.received) > 60
                async with open_sim(30, "two", ddp_port=two.ddp_port, udp_port=two.udp_port) as again:
                    await again.until(is_violet)
                    await report_of(lights, lambda report: not any(output.error for output in report.outputs))
            return two.unit.traits.mac

    with caplog.at_level(logging.INFO):
        mac = asyncio.run(scenario())
    assert [line for line in caplog.messages if line.startswith("frames")] == [
        f"frames cannot be sent name=two mac={mac} error=Connection refused",
        f"frames are sent again name=two mac={mac}",
    ]


def test_over_e131_the_strip_shows_the_tone_and_is_released() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(300, timeout_s=3600) as sim:
            rig = Rig()
            rig.controllers.set((replace(controller(sim), protocol="e131", data_port=sim.e131_port),))
            async with rig.open() as lights, background(lights.run(), play(rig.player())):
                await sim.until(lambda shown: is_violet(shown) and shown.pixels[:3] == shown.pixels[-3:])
            await sim.until(lambda shown: not shown.live)
            assert not [one for one in sim.received if one.protocol == "ddp"]

    asyncio.run(scenario())


def test_frames_leave_on_the_ticks_of_the_rooms_clock() -> None:
    async def scenario() -> list[float]:
        strip, rig = Strip([30]), Rig()
        now = time.monotonic()
        rig.clock.set(ClockReport(Course(LocalSeconds(now), RoomSeconds(now + AHEAD_S))))
        rig.controllers.set((strip.controller,))
        with listening([strip]):
            async with asyncio.timeout(PATIENCE_S), rig.open() as lights, background(lights.run(), play(rig.player())):
                await eventually(lambda: len(strip.arrivals) > 240)
        return [one.at for one in strip.arrivals[60:]]  # by the kernel, however busy we are

    places = (np.array(asyncio.run(scenario())) + AHEAD_S) * 60 % 1
    assert np.quantile(np.minimum(places, 1 - places), 0.25) < 0.1, "of a tick; on their own ticks they are 0.4 off"


def test_hung_it_is_killed_and_started_again() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig, health = Rig(sim), Health("light")
            async with background(supervise(health, rig.open), play(rig.player())):
                await sim.until(is_violet)
                await report_of(rig.present[0], lambda report: bool(report.outputs))
                os.kill(rig.present[0].pid, signal.SIGSTOP)
                await eventually(lambda: len(rig.present) > 1)
                await report_of(rig.present[1], lambda report: report.outputs[0].frames_sent > 0)
                assert "has not reported" in str(health.last_error)

    asyncio.run(scenario())


def test_switched_off_paused_or_unplugged_the_strips_are_released_and_come_back() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            all_of_them = rig.controllers.value
            async with rig.open() as lights, background(lights.run(), play(rig.player())):
                await sim.until(is_violet)
                rig.settings.set(replace(rig.settings.value, mode="off"))
                await sim.until(lambda shown: not shown.live)
                rig.settings.set(replace(rig.settings.value, mode="local"))
                await sim.until(is_violet)
                rig.settings.set(replace(rig.settings.value, paused=True))
                await sim.until(lambda shown: not shown.live)
                rig.settings.set(replace(rig.settings.value, paused=False))
                await sim.until(is_violet)
                rig.controllers.set(())
                await sim.until(lambda shown: not shown.live)
                rig.controllers.set(all_of_them)
                await sim.until(is_violet)

    asyncio.run(scenario())


def test_the_colours_follow_the_rooms_mode() -> None:
    def is_yellow(shown: Shown) -> bool:  # A is three fifths above C
        return shown.live and hue(shown) == 90

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            async with rig.open() as lights, background(lights.run(), play(rig.player())):
                await sim.until(is_violet)
                rig.settings.set(LightSettings(color_mode="harmonic", threshold="sensitive"))
                await sim.until(is_yellow)

    asyncio.run(scenario())


def test_every_musician_has_a_light_of_its_own() -> None:
    def halves(shown: Shown) -> tuple[int | None, int | None]:
        return hue(shown), hue(replace(shown, pixels=shown.pixels[-3:]))

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            name = sim.unit.traits.name
            rig.settings.set(
                LightSettings(
                    zones=(Zone("Ada", name, 0, 15), Zone("bass", name, 15, 30, effect="wash")), threshold="sensitive"
                )
            )
            ada = rig.feeds.open(PeerId("ada"), "Ada")
            bob = rig.feeds.open(PeerId("bob"), "Bob", instrument="bass")
            assert ada and bob
            async with (
                rig.open() as lights,
                background(lights.run(), play(ada), play(bob, partial(tone, hz=261.63))),
            ):
                await sim.until(lambda shown: shown.live and halves(shown) == (270, 0))
                rig.music.set(Music(key="G"))
                await sim.until(lambda shown: shown.live and halves(shown) == (270, 330))

    asyncio.run(scenario())


def test_one_shares_its_picture_and_another_shows_it() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            host, guest = Rig(), Rig(sim)
            host.settings.set(LightSettings(shares=True))
            guest.settings.set(LightSettings(mode="broadcast"))
            host.share = guest.given.set
            guest.player()  # somebody is there, and nothing of it is heard
            async with (
                host.open() as sender,
                guest.open() as shower,
                background(sender.run(), shower.run(), play(host.player())),
            ):
                await sim.until(is_violet)
                guest.settings.set(LightSettings(mode="local"))
                await sim.until(lambda shown: shown.live and not any(shown.pixels))

    asyncio.run(scenario())


DELAY_S = 0.2
EARLY_S = 2 * PACKET / RATE  # a note begins in a packet whose end is what arrived, and the quickest packets count


def test_together_a_note_is_shown_so_long_after_it_was_played_and_not_sooner() -> None:
    begun: list[float] = []

    def sound(at: int) -> NDArray[np.float32]:
        if at < RATE:
            return np.zeros((PACKET, 1), np.float32)
        begun.append(time.monotonic())
        return tone(at - RATE)

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            rig.timing.set(Timing(DELAY_S))
            async with rig.open() as lights, background(lights.run(), play(rig.player(), sound)):
                lit = await sim.until(lambda shown: shown.live and any(shown.pixels))
                assert lit.at >= begun[0] + DELAY_S - EARLY_S
                await sim.until(is_violet)
                report = await report_of(lights, lambda report: report.needs_s is not None)
                assert (report.needs_s or 0.0) < PATIENCE_S
                rig.timing.set(Timing())
                await report_of(lights, lambda report: report.needs_s is None)

    asyncio.run(scenario())


def test_together_a_guest_shows_the_hosts_colours_at_their_time_and_not_sooner() -> None:
    red = base64.b64encode(bytes([255, 0, 0])).decode()

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            rig.settings.set(LightSettings(mode="broadcast"))
            rig.clock.set(ClockReport(Course(LocalSeconds(0.0), RoomSeconds(AHEAD_S))))
            rig.timing.set(Timing(DELAY_S))
            rig.player()
            async with rig.open() as lights, background(lights.run()):
                await report_of(lights, lambda report: bool(report.outputs))
                drawn_at = time.monotonic()
                rig.given.set(Picture(red, at_s=drawn_at + AHEAD_S))
                shown = await sim.until(lambda shown: shown.live and shown.pixels[:3] == bytes([255, 0, 0]))
                assert shown.at >= drawn_at + DELAY_S
                await report_of(lights, lambda report: report.needs_s is not None)

    asyncio.run(scenario())


def test_a_host_waits_for_its_guests_and_says_of_when_its_colours_are() -> None:
    told: list[tuple[Picture, float]] = []

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            rig.settings.set(LightSettings(shares=True))
            rig.clock.set(ClockReport(Course(LocalSeconds(0.0), RoomSeconds(AHEAD_S))))
            rig.timing.set(Timing(DELAY_S))
            rig.share = lambda picture: told.append((picture, time.monotonic()))
            async with rig.open() as lights, background(lights.run(), play(rig.player())):
                lit = await sim.until(is_violet)
            moments = [picture.at_s - AHEAD_S for picture, _ in told if picture.at_s is not None]
            assert len(moments) == len(told)
            assert all(moment <= at for moment, (_, at) in zip(moments, told, strict=True))
            violet = next(
                moment for moment, (picture, _) in zip(moments, told, strict=True) if told_hue(picture) == 270
            )
            assert lit.at >= violet + DELAY_S - 2 / 60, "the picture that was told is shown here later"

    asyncio.run(scenario())


def test_a_picture_that_comes_seldom_is_faded_in() -> None:
    red, blue = (base64.b64encode(bytes(colour)).decode() for colour in ([255, 0, 0], [0, 0, 255]))

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            rig.settings.set(LightSettings(mode="broadcast"))
            rig.player()
            async with rig.open() as lights, background(lights.run()):
                rig.given.set(Picture(red))
                await sim.until(lambda shown: shown.live and shown.pixels[:3] == bytes([255, 0, 0]))
                rig.given.set(Picture(blue, fade_s=1.0))
                await sim.until(lambda shown: shown.pixels[0] > 20 and shown.pixels[2] > 20)
                await sim.until(lambda shown: shown.pixels[:3] == bytes([0, 0, 255]))

    asyncio.run(scenario())


def test_when_a_player_leaves_the_strip_goes_dark_and_then_has_its_own_state() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            feed = rig.player()
            async with rig.open() as lights, background(lights.run()):
                async with background(play(feed)):
                    await sim.until(is_violet)
                left = time.monotonic()
                feed.close()
                await sim.until(lambda shown: shown.live and not any(shown.pixels))
                own = await sim.until(lambda shown: not shown.live)
                assert own.at - left > 4
                packets = [one for one in sim.received if one.protocol == "ddp" and one.at > left + 2]
                assert 2 <= len(packets) <= 6, "one a second keeps WLED awake"

    asyncio.run(scenario())


def test_without_anyone_who_plays_nothing_is_sent() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig = Rig(sim)
            async with rig.open() as lights, background(lights.run()):
                await report_of(lights, lambda report: len(report.outputs) == 1)
            assert not sim.received

    asyncio.run(scenario())


def test_a_command_that_cannot_be_run_is_a_device_error() -> None:
    async def scenario() -> None:
        rig = Rig()
        with pytest.raises(DeviceError, match="cannot be started"):
            await open_light(
                *(rig.feeds.rings, rig.feeds.wakes, rig.feeds.sources, rig.controllers, rig.settings),
                command=("/nowhere/python",),
            ).__aenter__()

    asyncio.run(scenario())


def test_the_light_process_loads_no_more_than_it_needs() -> None:
    code = "import sys, jambridge.light.engine; print(*sys.modules)"

    async def loaded() -> set[str]:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
        out, _ = await child.communicate()
        return set(out.decode().split())

    assert not {"aiohttp", "zeroconf", "pydantic", "rich", "yaml", "scipy", "av", "aiortc"} & asyncio.run(loaded())
