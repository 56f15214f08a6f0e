"""What the light process shows of what is played, heard or given."""

import asyncio
import base64
import time
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from jambridge.light.control import LightSettings, Picture
from jambridge.light.music import Music
from jambridge.light.presenting import Timing
from jambridge.light.zones import Zone
from jambridge.notes.stroke import Stroke
from jambridge.sim.virtual import Shown
from jambridge.sim.wled import open_sim
from jambridge.sync.clock import Course
from jambridge.sync.service import ClockReport
from jambridge.units import LocalSeconds, MidiNote, PeerId, RoomSeconds
from tests.bench.strips import Strip, listening
from tests.fakes.waiting import until
from tests.light.running import (
    PACKET,
    PATIENCE_S,
    RATE,
    Rig,
    background,
    controller,
    hue,
    is_violet,
    play,
    report_of,
    told_hue,
    tone,
)

AHEAD_S = 1000 + 0.4 / 60  # the room's clock, and not by whole ticks
DELAY_S = 0.2
EARLY_S = 2 * PACKET / RATE  # a note begins in a packet whose end is what arrived, and the quickest packets count


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


def test_two_strips_of_different_length_show_the_same_notes() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30, "one") as one, open_sim(700, "two") as two:
            rig = Rig(one, two)
            async with rig.open() as lights, background(lights.run(), play(rig.player())):
                await one.until(is_violet)
                shown = await two.until(is_violet)
                assert len(shown.pixels) == 2100

    asyncio.run(scenario())


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
                await until(lambda: len(strip.arrivals) > 240)
        return [one.at for one in strip.arrivals[60:]]  # by the kernel, however busy we are

    places = (np.array(asyncio.run(scenario())) + AHEAD_S) * 60 % 1
    assert np.quantile(np.minimum(places, 1 - places), 0.25) < 0.1, "of a tick; on their own ticks they are 0.4 off"


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


def test_one_shares_its_picture_and_another_that_hears_nobody_shows_it_for_as_long_as_it_comes() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            host, guest = Rig(), Rig(sim)
            host.settings.set(LightSettings(shares=True))
            guest.settings.set(LightSettings(mode="broadcast"))
            host.share = guest.given.set
            async with (
                host.open() as sender,
                guest.open() as shower,
                background(sender.run(), shower.run(), play(host.player())),
            ):
                await sim.until(is_violet)
                guest.settings.set(LightSettings(mode="local"))
                await sim.until(lambda shown: shown.live and not any(shown.pixels))
                await sim.until(lambda shown: not shown.live)

    asyncio.run(scenario())


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
