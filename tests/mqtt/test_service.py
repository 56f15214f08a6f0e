"""The box at a real broker, which vanishes and comes back."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from jambridge.errors import WireError
from jambridge.mqtt.entities import OFFLINE, ONLINE, Box, Broker
from jambridge.mqtt.service import open_mqtt
from jambridge.supervise import Health, State, supervise
from tests.fakes.waiting import until
from tests.mqtt.broker import PATIENCE_S, open_mosquitto, open_onlooker

BOX = Box("00c0ffee00c0ffee", "The box", "1.0.0")


@dataclass
class Room:
    """What the box is: changed by whoever may."""

    values: dict[str, object] = field(
        default_factory=lambda: {
            "paused": False,
            "playing": False,
            "effect": "notes",
            "brightness": 1.0,
            "tempo": 120,
            "peers": 0,
        }
    )
    asked: list[tuple[str, object]] = field(default_factory=list)

    def change(self, name: str, value: object) -> None:
        self.asked.append((name, value))
        if name == "effect" and value == "strobe":
            raise WireError("effect: there is no strobe")
        self.values[name] = value


@asynccontextmanager
async def supervised(broker: Broker, room: Room, health: Health) -> AsyncIterator[None]:
    task = asyncio.create_task(
        supervise(health, partial(open_mqtt, broker, BOX, lambda: room.values, room.change), longest_delay_s=0.5)
    )
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def eventually(health: Health, state: State) -> None:
    await until(lambda: health.state is state, PATIENCE_S)


def says(**values: object) -> Callable[[str], bool]:
    return lambda text: values.items() <= json.loads(text).items()


def test_it_is_found_tells_its_state_does_what_is_asked_and_says_goodbye(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        room, health = Room(), Health("mqtt")
        async with open_onlooker(port) as home:
            async with supervised(Broker("127.0.0.1", port), room, health):
                await home.until(BOX.availability, ONLINE.__eq__)
                told = json.loads(home.newest[BOX.discovery("homeassistant")])
                assert json.loads(home.newest[BOX.state])["tempo"] == 120

                await home.ask(told["components"]["paused"]["command_topic"], "ON")
                await home.until(BOX.state, says(paused="ON"))
                await home.ask(told["components"]["brightness"]["command_topic"], "40")
                await home.until(BOX.state, says(brightness=40))
                room.values["peers"] = 3
                await home.until(BOX.state, says(peers=3))
            await home.until(BOX.availability, OFFLINE.__eq__)
        assert room.asked == [("paused", True), ("brightness", 0.4)]

    with open_mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))


def test_nonsense_is_refused_and_what_was_asked_before_the_start_is_not_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(port: int) -> None:
        room, health = Room(), Health("mqtt")
        async with open_onlooker(port) as home:
            await home.ask(f"{BOX.topic}/set/tempo", "77", retain=True)
            async with supervised(Broker("127.0.0.1", port), room, health):
                await home.until(BOX.availability, ONLINE.__eq__)
                for payload in (b"\xff", "x" * 100_000, "strobe", "strobe", "strobe"):
                    await home.ask(f"{BOX.topic}/set/effect", payload)
                await home.ask(f"{BOX.topic}/set/effect", "vu")
                await home.until(BOX.state, says(effect="vu"))
        assert ("tempo", 77) not in room.asked
        assert [value for _, value in room.asked].count("strobe") == 3
        assert (health.restarts, health.state) == (0, State.RUNNING)

    with open_mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))
    assert caplog.text.count("no strobe") == 1


def test_a_broker_that_vanishes_and_comes_back_is_told_everything_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        room, health = Room(), Health("mqtt")
        with open_mosquitto(tmp_path) as broker:
            async with supervised(Broker("127.0.0.1", broker.port), room, health):
                async with open_onlooker(broker.port) as home:
                    await home.until(BOX.availability, ONLINE.__eq__)
                broker.kill()
                await eventually(health, State.WAITING)
                assert f"MQTT broker 127.0.0.1:{broker.port}" in str(health.last_error)
                room.values["tempo"] = 98
                broker.start()
                async with open_onlooker(broker.port) as home:
                    await home.until(BOX.availability, ONLINE.__eq__)
                    await home.until(BOX.state, says(tempo=98))
                    assert BOX.discovery("homeassistant") in home.newest

    asyncio.run(scenario())


async def carry_until(pulled: asyncio.Event, box: socket.socket, port: int) -> None:
    """A cable between a box and its broker, until it is pulled out."""
    near = await asyncio.open_connection(sock=box)
    far = await asyncio.open_connection("127.0.0.1", port)

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(4096):
            sink.write(data)

    ways = [asyncio.create_task(carry(near[0], far[1])), asyncio.create_task(carry(far[0], near[1]))]
    await pulled.wait()
    for way in ways:
        way.cancel()
    for _, sink in (near, far):
        sink.transport.abort()


def test_a_box_that_is_gone_without_a_word_is_offline(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        room, health, pulled = Room(), Health("mqtt"), asyncio.Event()
        with socket.create_server(("127.0.0.1", 0)) as cable:
            box = asyncio.to_thread(cable.accept)
            async with (
                open_onlooker(port) as home,
                supervised(Broker("127.0.0.1", cable.getsockname()[1]), room, health),
            ):
                ours, _ = await box
                carrying = asyncio.create_task(carry_until(pulled, ours, port))
                await home.until(BOX.availability, ONLINE.__eq__)
                pulled.set()
                await home.until(BOX.availability, OFFLINE.__eq__)
                await carrying

    with open_mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))


def test_a_wrong_password_is_told_as_what_it_is(tmp_path: Path) -> None:
    async def scenario(port: int) -> None:
        room, health = Room(), Health("mqtt")
        known = Broker("127.0.0.1", port, username="box", password="secret")
        async with supervised(replace(known, password="guess"), room, health):
            await eventually(health, State.WAITING)
            assert "Not authorized" in str(health.last_error) and "guess" not in str(health.last_error)
        async with (
            open_onlooker(port, username="box", password="secret") as home,
            supervised(known, room, Health("mqtt")),
        ):
            await home.until(BOX.availability, ONLINE.__eq__)

    with open_mosquitto(tmp_path, box="secret") as broker:
        asyncio.run(scenario(broker.port))


def test_where_no_broker_is_the_error_says_where() -> None:
    async def scenario() -> None:
        health = Health("mqtt")
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            async with supervised(Broker("127.0.0.1", port), Room(), health):
                await eventually(health, State.WAITING)
        assert f"MQTT broker 127.0.0.1:{port}: " in str(health.last_error)

    asyncio.run(scenario())
