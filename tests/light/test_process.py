"""The life of the light process: whatever comes and goes, each strip is lit again, or has its own state back."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from dataclasses import replace

import pytest

from jambridge.errors import DeviceError
from jambridge.light import control, process
from jambridge.light.process import open_light
from jambridge.notes.stroke import Stroke
from jambridge.sim.wled import open_sim
from jambridge.supervise import Health, supervise
from jambridge.units import LocalSeconds, MidiNote
from tests.fakes.waiting import until
from tests.light.running import PATIENCE_S, RATE, Rig, background, is_violet, play, report_of


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


def test_hung_it_is_killed_and_started_again() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(30) as sim:
            rig, health = Rig(sim), Health("light")
            async with background(supervise(health, rig.open), play(rig.player())):
                await sim.until(is_violet)
                await report_of(rig.present[0], lambda report: bool(report.outputs))
                os.kill(rig.present[0].pid, signal.SIGSTOP)
                await until(lambda: len(rig.present) > 1)
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
