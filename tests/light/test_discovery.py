"""Discovery against virtual WLEDs and hostile servers on loopback; mDNS, where it is used, on loopback too.

Other tests may announce WLEDs at the same time: what is driven is chosen by name or MAC, never by being the only one.
"""

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import numpy as np
import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from jambridge.config import ControllerConfig, LightConfig
from jambridge.edges import Latest
from jambridge.errors import LinkError
from jambridge.light import ddp, mdns
from jambridge.light.discovery import Discovery, Found, open_discovery
from jambridge.light.watch import UNASKED, Patience
from jambridge.light.wled import Controller
from jambridge.sim.wled import SimulatedWled, mac_of, open_sim
from jambridge.units import LocalSeconds
from tests.fakes.hostile_http import open_hostile, response
from tests.fakes.waiting import until

PATIENCE_S = 30
QUICK = Patience(present_s=0.1, taken_s=0.1, absent_s=0.05, answer_s=1.0)
Controllers = Latest[tuple[Controller, ...]]


def named(sim: SimulatedWled, **more: object) -> ControllerConfig:
    return ControllerConfig.model_validate(
        {"host": "127.0.0.1", "http_port": sim.http_port, "data_port": sim.ddp_port, **more}
    )


@asynccontextmanager
async def discovering(
    section: LightConfig,
    adopted: tuple[str, ...] = (),
    zeroconf: AsyncZeroconf | None = None,
    sent_fps: Callable[[], Mapping[str, float]] = dict,
) -> AsyncIterator[tuple[Discovery, Controllers]]:
    controllers: Controllers = Latest(())
    async with open_discovery(section, lambda: adopted, controllers, zeroconf, QUICK, sent_fps) as discovery:
        running = asyncio.create_task(discovery.run())
        try:
            yield discovery, controllers
        finally:
            running.cancel()
            (ended,) = await asyncio.gather(running, return_exceptions=True)
            assert isinstance(ended, asyncio.CancelledError), ended


def only(*entries: ControllerConfig) -> LightConfig:
    return LightConfig(discover="off", controllers=list(entries))


async def until_found(discovery: Discovery, holds: Callable[[tuple[Found, ...]], bool]) -> tuple[Found, ...]:
    found = discovery.found.value
    while not holds(found):
        found = await discovery.found.changed(found)
    return found


async def until_driven(controllers: Controllers, holds: Callable[[tuple[Controller, ...]], bool]) -> Controller:
    driven = controllers.value
    while not holds(driven):
        driven = await controllers.changed(driven)
    return driven[0]


def test_one_named_by_its_host_is_asked_the_rest_and_driven() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(name="Strip", outputs=(600, 300), rgbw=True) as sim:
            async with discovering(only(named(sim))) as (discovery, controllers):
                driven = await until_driven(controllers, bool)
                (found,) = discovery.found.value
            assert driven == Controller(
                mac=mac_of("Strip"),
                name="Strip",
                host="127.0.0.1",
                pixels=900,
                channels=4,
                data_port=sim.ddp_port,
                udp_port=sim.udp_port,
                gamma=2.2,
                max_fps=pytest.approx(49.2, abs=0.1),  # type: ignore[arg-type]
                keepalive_s=pytest.approx(0.83, abs=0.01),  # type: ignore[arg-type]
            )
            assert (found.state, found.reason, found.pixels) == ("driven", "named in the configuration", 900)

    asyncio.run(scenario())


def test_the_configuration_has_the_last_word() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(100, no_gc=False) as sim:
            entry = named(sim, pixels=50, brightness=0.5, max_fps=30, udp_port=999)
            async with discovering(only(entry)) as (_, controllers):
                driven = await until_driven(controllers, bool)
            assert (driven.pixels, driven.brightness, driven.max_fps, driven.udp_port) == (50, 0.5, 30, 999)
            assert driven.gamma == 1.0, "this one applies gamma itself"

    asyncio.run(scenario())


def test_over_e131_its_own_universe_is_used_unless_another_is_given() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(100, rgbw=True) as sim:
            entry = ControllerConfig(host="127.0.0.1", http_port=sim.http_port, protocol="e131")
            given = entry.model_copy(update={"universe": 9, "multicast": True, "priority": 120, "data_port": 1})
            async with discovering(only(entry)) as (discovery, controllers):
                driven = await until_driven(controllers, bool)
                assert (driven.protocol, driven.universe, driven.channels) == ("e131", 1, 4)
                assert (driven.data_port, driven.multicast, driven.priority) == (sim.e131_port, False, 100)
                assert [one.protocol for one in discovery.found.value] == ["e131"]
            async with discovering(only(given)) as (discovery, controllers):
                driven = await until_driven(controllers, bool)
                assert (driven.universe, driven.data_port, driven.multicast, driven.priority) == (9, 1, True, 120)
                assert len(discovery.found.value[0].warnings) == 2, "it listens to others, and not to groups"

    asyncio.run(scenario())


def test_one_that_shows_fewer_frames_than_it_is_sent_is_sent_fewer() -> None:
    async def stream(sim: SimulatedWled) -> None:
        while True:
            stream_from("127.0.0.1", sim)
            await asyncio.sleep(1 / 60)

    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(1500) as sim:
            entry = named(sim, pixels=10)  # so it seems short, but shows 22 frames a second
            streaming = asyncio.create_task(stream(sim))

            def sent_fps() -> Mapping[str, float]:
                return {sim.unit.traits.mac: 60.0}

            async with discovering(only(entry), sent_fps=sent_fps) as (_, controllers):
                assert (await until_driven(controllers, bool)).max_fps == 60
                slower = await until_driven(controllers, lambda driven: driven[0].max_fps < 60)
                assert slower.max_fps < 48
            streaming.cancel()

    asyncio.run(scenario())


def test_one_whose_user_overrides_the_stream_is_told_from_others() -> None:
    async def scenario() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            open_sim(10) as sim,
            discovering(only(named(sim))) as (_, controllers),
        ):
            await until_driven(controllers, lambda driven: bool(driven) and not driven[0].overridden)
            sim.unit.override = 1
            await until_driven(controllers, lambda driven: driven[0].overridden)
            sim.unit.override = 0
            await until_driven(controllers, lambda driven: not driven[0].overridden)

    asyncio.run(scenario())


def test_off_and_on_again_it_is_absent_and_then_found(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), AsyncExitStack() as stack:
            first = open_sim(10)
            sim = await first.__aenter__()
            discovery, controllers = await stack.enter_async_context(discovering(only(named(sim))))
            await until_driven(controllers, bool)

            await first.__aexit__(None, None, None)
            await until_found(discovery, lambda found: found[0].state == "absent")
            assert controllers.value, "frames go on for a while: a silent server says little of a strip"

            ports = {"http_port": sim.http_port, "ddp_port": sim.ddp_port, "udp_port": sim.udp_port}
            await stack.enter_async_context(open_sim(10, **ports))  # type: ignore[arg-type]
            await until_found(discovery, lambda found: found[0].state == "driven")

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    states = [record.getMessage().split()[1] for record in caplog.records if record.getMessage().startswith("WLED ")]
    assert states == ["driven", "absent", "driven"], "one line a transition"


def test_one_is_found_to_be_tried_by_name_mac_or_address_unless_it_is_somebody_elses() -> None:
    async def scenario() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            open_sim(10, "Stage", timeout_s=1.0) as sim,
            discovering(only(named(sim))) as (discovery, _),
        ):
            await until_found(discovery, bool)
            mac = mac_of("Stage")
            spelled = ":".join(mac[place : place + 2] for place in range(0, 12, 2)).upper()
            assert {discovery.way_to(name).mac for name in ("stage", mac, spelled, "127.0.0.1")} == {mac}
            with pytest.raises(LinkError, match="no WLED called x was found; found: Stage"):
                discovery.way_to("x")
            stream_from("127.0.0.77", sim)
            await until_found(discovery, lambda found: found[0].state == "foreign")
            with pytest.raises(LinkError, match="live from"):
                discovery.way_to("Stage")

    asyncio.run(scenario())


def test_one_that_was_off_at_the_start_is_driven_when_it_comes() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S):
            async with open_sim(10) as sim:
                port = sim.http_port
            entry = ControllerConfig(host="127.0.0.1", http_port=port)
            async with discovering(only(entry)) as (discovery, controllers):
                (found,) = await until_found(discovery, bool)
                assert (found.state, found.mac, found.name) == ("absent", "", f"127.0.0.1:{port}")
                assert "does not answer" in found.reason
                async with open_sim(10, http_port=port):
                    await until_driven(controllers, bool)

    asyncio.run(scenario())


def test_one_that_starts_again_between_two_questions_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(10, "Stage") as sim:
            sim._started_at = LocalSeconds(sim._started_at - 100)
            async with discovering(only(named(sim))) as (_, controllers):
                await until_driven(controllers, bool)
                sim._started_at = LocalSeconds(time.monotonic())
                await until(lambda: "again" in caplog.text)

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    assert f"a WLED has started again name=Stage mac={mac_of('Stage')}" in caplog.messages


def test_each_that_never_answered_is_told_once_and_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> tuple[int, ...]:
        async with open_sim(10) as gone:
            refusing = gone.http_port
        async with (
            asyncio.timeout(PATIENCE_S),
            open_sim(10) as sim,
            open_hostile(response(b"[]")) as senseless,
            open_hostile(b"", pause_s=30.0) as silent,
        ):
            ports = (refusing, senseless, silent)
            entries = [ControllerConfig(host="127.0.0.1", http_port=port) for port in ports]
            async with discovering(only(*entries, named(sim))) as (discovery, _):
                await until_found(discovery, lambda found: UNASKED in [one.reason for one in found])
                with pytest.raises(LinkError, match="does not answer"):
                    discovery.way_to(f"127.0.0.1:{silent}")
                await until_found(discovery, lambda found: UNASKED not in [one.reason for one in found])
                watch = discovery._watches[f"127.0.0.1:{refusing}"]
                await until(lambda: watch.failures >= 10)  # nothing new is shown any more
            return ports

    with caplog.at_level(logging.INFO):
        ports = asyncio.run(scenario())
    for port, said in zip(ports, ("(Connection refused)", "object", "does not answer"), strict=True):
        (line,) = [line for line in caplog.messages if f"name=127.0.0.1:{port} " in line]
        assert said in line


def test_one_that_was_heard_and_answers_nonsense_is_faulty_and_its_frames_go_on() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), AsyncExitStack() as stack:
            async with open_sim(10) as sim:
                discovery, controllers = await stack.enter_async_context(discovering(only(named(sim))))
                await until_driven(controllers, bool)
            await stack.enter_async_context(open_hostile(response(b"", "500 Oh"), port=sim.http_port))
            (found,) = await until_found(discovery, lambda found: found[0].state == "faulty")
            assert (found.mac, found.reason) == (sim.unit.traits.mac, "HTTP status 500")
            assert controllers.value

    asyncio.run(scenario())


def test_one_that_is_announced_and_cannot_be_reached_is_told() -> None:
    async def scenario() -> None:
        async with open_sim(10) as gone:
            port = gone.http_port
        there = AsyncServiceInfo(
            *(mdns.SERVICE, f"Walled in.{mdns.SERVICE}", port),
            parsed_addresses=["127.0.0.1"],
            server="walled-in.local.",
        )
        async with (
            asyncio.timeout(PATIENCE_S),
            loopback() as theirs,
            loopback() as ours,
            discovering(LightConfig(), (), ours) as (discovery, _),
        ):
            await theirs.async_register_service(there)
            found = await until_found(discovery, lambda found: "Walled in" in [one.name for one in found])
            (one,) = [one for one in found if one.name == "Walled in"]
            assert (one.state, one.reason) == ("absent", f"127.0.0.1:{port} does not answer (Connection refused)")

    asyncio.run(scenario())


def stream_from(address: str, sim: SimulatedWled) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((address, 0))
        for packet in ddp.encode(np.zeros((10, 3), np.uint8), 0):
            sender.sendto(packet, ("127.0.0.1", sim.ddp_port))


def test_one_that_somebody_else_streams_to_is_left_alone_until_it_is_free() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(10, timeout_s=1.0) as sim:
            stream_from("127.0.0.77", sim)
            await sim.until(lambda shown: shown.live)
            async with discovering(only(named(sim))) as (discovery, controllers):
                (found,) = await until_found(discovery, bool)
                assert (found.state, found.reason) == ("foreign", "live from 127.0.0.77: left alone")
                assert [controller.yielded for controller in controllers.value] == [True]
                await until_driven(controllers, lambda driven: not driven[0].yielded)

    asyncio.run(scenario())


def test_our_own_stream_is_no_reason_to_stop() -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(10) as sim:
            stream_from("127.0.0.1", sim)
            await sim.until(lambda shown: shown.live)
            async with discovering(only(named(sim))) as (_, controllers):
                assert not (await until_driven(controllers, bool)).yielded

    asyncio.run(scenario())


INFO = {"mac": "0200000000aa", "name": "evil", "leds": {"count": 10}}


def info(**changes: object) -> bytes:
    return response(json.dumps({"info": {**INFO, **changes}, "state": {}}).encode())


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param(b"\x00\xff garbage \r\n\r\n", "absent", id="no HTTP"),
        pytest.param(response(b"\xff\xfe{"), "faulty", id="no JSON"),
        pytest.param(response(b"[" * 50_000), "faulty", id="deep"),
        pytest.param(response(b'{"a":' + b"1" * 5000 + b"}"), "faulty", id="a long number"),
        pytest.param(response(b'"' + b"x" * 200_000 + b'"'), "faulty", id="long"),
        pytest.param(response(b"[]"), "faulty", id="a list"),
        pytest.param(response(b"", "500 Oh"), "faulty", id="a failure"),
        pytest.param(response(b"", "503 Busy"), "absent", id="busy"),
        pytest.param(response(b"", "302 Found", "Location: http://127.0.0.1:9/\r\n"), "faulty", id="a redirect"),
        pytest.param(response(b"", extra="X: " + "y" * 100_000 + "\r\n"), "absent", id="a long header"),
        pytest.param(info(leds={"count": 0}), "faulty", id="no pixels"),
        pytest.param(info(leds={"count": 100_000}), "faulty", id="too many pixels"),
        pytest.param(info(leds={"count": "\x1b[31m\n"}), "faulty", id="pixels in red"),
        pytest.param(info(mac="x"), "faulty", id="no MAC"),
        pytest.param(b"", "absent", id="nothing"),
    ],
)
def test_a_hostile_answer_is_told_and_spoils_nothing(answer: bytes, state: str) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(10) as sim, open_hostile(answer) as port:
            section = only(ControllerConfig(host="127.0.0.1", http_port=port), named(sim))
            async with discovering(section) as (discovery, controllers):
                driven = await until_driven(controllers, bool)
                assert driven.mac == sim.unit.traits.mac
                found = await until_found(discovery, lambda found: state in [one.state for one in found])
                assert all(len(one.reason) < 200 and one.reason.isprintable() for one in found)
                assert len(controllers.value) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "endless", "pause_s"),
    [
        pytest.param(b"", b"", 30.0, id="silence"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" ", 0.1, id="a byte at a time"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65_536, 0.0, id="without an end"),
    ],
)
def test_a_slow_or_endless_answer_keeps_nobody_waiting(answer: bytes, endless: bytes, pause_s: float) -> None:
    async def scenario() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            open_sim(10) as sim,
            open_hostile(answer, endless=endless, pause_s=pause_s) as port,
        ):
            section = only(ControllerConfig(host="127.0.0.1", http_port=port), named(sim))
            async with discovering(section) as (discovery, controllers):
                assert (await until_driven(controllers, bool)).mac == sim.unit.traits.mac
                await until_found(discovery, lambda found: len(found) == 2 and found[1].reason != UNASKED)

    asyncio.run(scenario())


def test_a_host_name_nobody_knows_is_told() -> None:
    async def scenario() -> None:
        entry = ControllerConfig(host="no-such-wled.invalid")
        async with asyncio.timeout(PATIENCE_S), discovering(only(entry)) as (discovery, _):
            found = await until_found(discovery, lambda found: found != () and "not known" in found[0].reason)
            assert found[0].state == "absent"

    asyncio.run(scenario())


def test_a_list_drives_nothing() -> None:
    async def scenario() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            loopback() as zeroconf,
            open_sim(10, "Listed", announce=True, zeroconf=zeroconf),
            discovering(LightConfig(discover="list"), (mac_of("Listed"),), zeroconf) as (discovery, controllers),
        ):
            await until_found(discovery, lambda found: "Listed" in [one.name for one in found])
            assert controllers.value == ()

    asyncio.run(scenario())


def loopback() -> AsyncZeroconf:
    return AsyncZeroconf(interfaces=["127.0.0.1"])


@pytest.mark.parametrize(
    ("entry", "adopted"),
    [
        ({"name": "announced strip"}, False),
        ({"mac": ":".join(mac_of("Announced strip")[place : place + 2] for place in range(0, 12, 2))}, False),
        (None, True),
    ],
    ids=["by name", "by MAC", "adopted"],
)
def test_an_announced_one_is_driven_if_it_is_chosen(entry: dict[str, object] | None, adopted: bool) -> None:
    async def scenario() -> None:
        section = LightConfig(controllers=[ControllerConfig.model_validate(entry)] if entry else [])
        macs = (mac_of("Announced strip"),) if adopted else ()
        async with (
            asyncio.timeout(PATIENCE_S),
            loopback() as theirs,
            loopback() as ours,
            open_sim(10, "Announced strip", announce=True, zeroconf=theirs),
            discovering(section, macs, ours) as (_, controllers),
        ):
            assert (await until_driven(controllers, bool)).mac == mac_of("Announced strip")

    asyncio.run(scenario())


def test_of_two_of_one_name_only_the_first_is_driven_and_both_are_warned_of() -> None:
    async def scenario() -> None:
        section = LightConfig(controllers=[ControllerConfig(name="Twin")])
        async with (
            asyncio.timeout(PATIENCE_S),
            loopback() as theirs,
            loopback() as ours,
            open_sim(10, "Twin", announce=True, zeroconf=theirs),
            discovering(section, (), ours) as (discovery, controllers),
        ):
            await until_driven(controllers, bool)
            async with open_sim(10, "Twin", mac="020000000077", announce=True, zeroconf=theirs):
                found = await until_found(discovery, lambda found: sum(bool(one.warnings) for one in found) == 2)
            twins = {one.mac: one.state for one in found if one.name == "Twin"}
            assert twins == {mac_of("Twin"): "driven", "020000000077": "listed"}
            assert [one.mac for one in controllers.value] == [mac_of("Twin")]

    asyncio.run(scenario())


def test_one_with_a_new_address_is_followed() -> None:
    async def scenario() -> None:
        adopted = (mac_of("Wanderer"),)
        async with (
            asyncio.timeout(PATIENCE_S),
            loopback() as theirs,
            loopback() as ours,
            discovering(LightConfig(), adopted, ours) as (_, controllers),
        ):
            for host in ("127.0.0.1", "127.0.0.2"):
                async with open_sim(10, "Wanderer", host=host, announce=True, zeroconf=theirs):
                    await until_driven(controllers, partial(is_at, host))
            assert controllers.value[0].mac == adopted[0]

    asyncio.run(scenario())


def is_at(host: str, driven: tuple[Controller, ...]) -> bool:
    return [controller.host for controller in driven] == [host]


def test_a_local_host_name_is_asked_for_by_mdns() -> None:
    async def scenario() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            loopback() as theirs,
            loopback() as ours,
            open_sim(10, "Local", announce=True, zeroconf=theirs) as sim,
        ):
            entry = named(sim, host=f"wled-{mac_of('Local')[-6:]}.local")
            async with discovering(LightConfig(controllers=[entry]), (), ours) as (_, controllers):
                driven = await until_driven(controllers, bool)
                assert (driven.mac, driven.data_port) == (mac_of("Local"), sim.ddp_port)

    asyncio.run(scenario())


def test_without_mdns_the_named_are_still_driven(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(PATIENCE_S), open_sim(10) as sim:
            closed = loopback()
            await closed.async_close()
            async with discovering(LightConfig(controllers=[named(sim)]), (), closed) as (_, controllers):
                await until_driven(controllers, bool)

    asyncio.run(scenario())
    lines = [record.getMessage() for record in caplog.records if "mDNS" in record.getMessage()]
    assert len(lines) == 1
