"""Tells an MQTT broker of this box, and does what is asked there. The only module that knows aiomqtt."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from jambridge.errors import LinkError, WireError
from jambridge.mqtt import entities
from jambridge.mqtt.entities import Box, Broker

log = logging.getLogger(__name__)

TELL_S = 0.5
KEEPALIVE_S = 15
_ANSWER_S = 5.0
_GOODBYE_S = 0.5
_MOST_BYTES = 4096  # the broker keeps what is larger
_MOST_WAITING = 32
_AT_LEAST_ONCE = 1


class Automation:
    """Use `open_mqtt`."""

    def __init__(
        self,
        client: aiomqtt.Client,
        broker: Broker,
        box: Box,
        values: Callable[[], Mapping[str, object]],
        change: Callable[[str, object], None],
    ) -> None:
        self._client = client
        self._broker = broker
        self._box = box
        self._values = values
        self._change = change
        self._refused = ""

    async def run(self) -> None:
        await self._client.subscribe(self._box.commands, _AT_LEAST_ONCE)
        await self._retain(self._box.discovery(self._broker.discovery_prefix), entities.describe(self._box))
        await self._retain(self._box.state, entities.state(self._values()))
        await self._retain(self._box.availability, entities.ONLINE)
        log.info("mqtt connected host=%s port=%d", self._broker.host, self._broker.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            group.create_task(self._obey())

    async def leave(self) -> None:
        """Say that we are gone; without a word, the broker would tell our last will."""
        with suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await self._retain(self._box.availability, entities.OFFLINE)

    async def _tell(self) -> None:
        told = ""
        while True:
            state = entities.state(self._values())
            if state != told:
                await self._retain(self._box.state, state)
                told = state
            await asyncio.sleep(TELL_S)

    async def _obey(self) -> None:
        async for message in self._client.messages:
            if message.retain:
                continue  # asked of somebody some time ago: not for every start
            payload = message.payload if isinstance(message.payload, bytes) else b""
            try:
                self._change(*entities.command(self._box, message.topic.value, payload))
            except (WireError, LinkError) as exc:
                if str(exc) != self._refused:
                    self._refused = str(exc)
                    log.warning("what was asked over mqtt is not done reason=%s", exc)

    async def _retain(self, topic: str, payload: str) -> None:
        await self._client.publish(topic, payload, _AT_LEAST_ONCE, retain=True)


@asynccontextmanager
async def open_mqtt(
    broker: Broker,
    box: Box,
    values: Callable[[], Mapping[str, object]],
    change: Callable[[str, object], None],
) -> AsyncIterator[Automation]:
    """Connect, and say goodbye when left.

    Args:
        broker: where.
        box: who we are.
        values: what `entities.state` takes.
        change: one of these values is wanted otherwise; WireError or LinkError where that cannot be.

    Raises:
        LinkError: the broker cannot be reached, refuses us, or is gone.
    """
    limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    limits.MaximumPacketSize = _MOST_BYTES
    try:
        async with aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            identifier=f"jambridge-{box.id}",
            protocol=aiomqtt.ProtocolVersion.V5,
            properties=limits,
            will=aiomqtt.Will(box.availability, entities.OFFLINE, _AT_LEAST_ONCE, retain=True),
            tls_context=await asyncio.to_thread(ssl.create_default_context) if broker.tls else None,
            timeout=_ANSWER_S,
            keepalive=KEEPALIVE_S,
            max_queued_incoming_messages=_MOST_WAITING,
        ) as client:
            automation = Automation(client, broker, box, values, change)
            try:
                yield automation
            finally:
                await automation.leave()
    except* aiomqtt.MqttError as failed:
        raise LinkError(f"MQTT broker {broker.host}:{broker.port}: {_cause(failed)}") from failed


def _cause(failed: BaseException) -> BaseException:
    """The first of what went wrong."""
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed
