"""A virtual WLED on this machine: its HTTP, mDNS and UDP ports around `virtual.VirtualWled`."""

import asyncio
import hashlib
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from jambridge.addresses import local_addresses
from jambridge.edges import Latest
from jambridge.sim import answers, http
from jambridge.sim.virtual import Shown, Traits, VirtualWled
from jambridge.strict_json import JsonObject
from jambridge.units import LocalSeconds

SERVICE = "_wled._tcp.local."
_HISTORY = 8192  # packets and pictures remembered
_FLUSH_S = 0.2
_FPS_OVER_S = 1.0
_HOST_TTL_S = 120
_FAR_S = 3600.0  # further off is never
_EVERYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Received:
    at: LocalSeconds
    protocol: str
    """ddp, e131 or udp."""
    sender: str
    packet: bytes


class SimulatedWled:
    """What it showed and received is kept, newest last, and written to `capture`, a JSON object a line."""

    def __init__(self, traits: Traits, capture: TextIO | None, drawn: Callable[[Shown], None]) -> None:
        self.unit = VirtualWled(traits)
        self.address = ""
        self.http_port = self.ddp_port = self.udp_port = self.e131_port = 0
        self.shown: deque[Shown] = deque(maxlen=_HISTORY)
        self.received: deque[Received] = deque(maxlen=_HISTORY)
        self.newest: Latest[Shown | None] = Latest(None)
        self._capture = capture
        self._drawn = drawn
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._started_at = _now()

    @property
    def fps(self) -> int:
        """Pictures shown in the last second."""
        since = _now() - _FPS_OVER_S
        return sum(shown.at > since for shown in self.shown)

    async def until(self, shows: Callable[[Shown], bool]) -> Shown:
        """The first picture from now on, the present one included, that `shows` what is asked for."""
        newest = self.newest.value
        while newest is None or not shows(newest):
            newest = await self.newest.changed(newest)
        return newest

    def receive(self, protocol: str, packet: bytes, sender: str) -> None:
        now = _now()
        self.received.append(Received(now, protocol, sender, packet))
        self._write(at=now, event="received", protocol=protocol, sender=sender, hex=packet.hex())
        match protocol:
            case "ddp":
                self.unit.receive_ddp(packet, sender, now)
            case "e131":
                self.unit.receive_e131(packet, sender, now)
            case _:
                self.unit.receive_udp(packet)
        self.advance()

    def advance(self) -> None:
        """Show what is due, and come back when more will be."""
        if self._timer:
            self._timer.cancel()
        shown = self.unit.advance(_now())
        if shown:
            self.shown.append(shown)
            self.newest.set(shown)
            self._write(at=shown.at, event="shown", live=shown.live, hex=shown.pixels.hex())
            self._drawn(shown)
        due = self.unit.due()
        self._timer = self._loop.call_at(due, self.advance) if due < _now() + _FAR_S else None

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()

    def info(self) -> JsonObject:
        return answers.info(self.unit, self.udp_port, self.address, self.fps, int(_now() - self._started_at))

    def cfg(self) -> JsonObject:
        return answers.cfg(self.unit, self.udp_port, self.e131_port)

    def state(self) -> JsonObject:
        return answers.state(self.unit)

    def change(self, wish: JsonObject) -> None:
        """Take what was posted to /json/state; only what concerns a stream is looked at."""
        if wish.get("live") is False:
            self.unit.end_stream()
        elif wish.get("live") is True:
            self.unit.hold_live()
        if wish.get("lor") in (0, 1, 2):
            self.unit.override = wish["lor"]
        self.advance()

    def _write(self, **event: str | float | bool) -> None:
        if self._capture:
            self._capture.write(json.dumps(event) + "\n")


@asynccontextmanager
async def open_sim(
    pixels: int = 150,
    name: str = "Virtual WLED",
    *,
    outputs: tuple[int, ...] | None = None,
    rgbw: bool = False,
    no_gc: bool = True,
    timeout_s: float = 2.5,
    mac: str | None = None,
    host: str = "127.0.0.1",
    http_port: int = 0,
    ddp_port: int = 0,
    udp_port: int = 0,
    e131_port: int = 0,
    announce: bool = False,
    zeroconf: AsyncZeroconf | None = None,
    capture: Path | None = None,
    drawn: Callable[[Shown], None] = lambda _: None,
) -> AsyncIterator[SimulatedWled]:
    """A WLED that answers at `host`; a port of 0 is any free one, and the attributes say which.

    Args:
        pixels: on one output, unless `outputs` has the pixels of each.
        name: as its user called it; its MAC address follows from the name unless given.
        outputs: pixels of each output.
        rgbw: four channels a pixel.
        no_gc: gamma is left to the sender.
        timeout_s: without data, its own state is shown again.
        mac: 12 hexadecimal digits.
        host: the address to bind, 0.0.0.0 for all.
        http_port: 80 on a real one.
        ddp_port: 4048 on a real one.
        udp_port: 21324 on a real one; told in /json/info.
        e131_port: 5568 on a real one.
        announce: as `_wled._tcp` by mDNS.
        zeroconf: announces it; else its own.
        capture: a file for every packet received and picture shown.
        drawn: called with every picture.

    Raises:
        OSError: a port is taken, or `capture` cannot be written.
    """
    traits = Traits(name, mac or mac_of(name), outputs or (pixels,), rgbw, no_gc, timeout_s)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        file = stack.enter_context(capture.open("w", encoding="utf-8")) if capture else None
        sim = SimulatedWled(traits, file, drawn)
        stack.callback(sim.stop)
        ports = {}
        for protocol, port in (("ddp", ddp_port), ("udp", udp_port), ("e131", e131_port)):
            transport, _ = await loop.create_datagram_endpoint(
                lambda protocol=protocol: _Port(sim, protocol),  # type: ignore[misc]
                local_addr=(host, port),
            )
            stack.callback(transport.close)
            ports[protocol] = transport.get_extra_info("sockname")[1]
        sim.ddp_port, sim.udp_port, sim.e131_port = ports["ddp"], ports["udp"], ports["e131"]
        sim.http_port = await http.serve(sim, host, http_port, stack)
        sim.address = host
        if announce:
            if zeroconf is None:
                zeroconf = await stack.enter_async_context(AsyncZeroconf())
            await _announce(sim, host, zeroconf, stack)
        if file:
            flushing = asyncio.create_task(_flush(file))
            stack.callback(flushing.cancel)
        sim.advance()
        yield sim


def mac_of(name: str) -> str:
    """A locally administered MAC address that is always the same for a name."""
    return "02" + hashlib.sha256(name.encode()).hexdigest()[:10]


class _Port(asyncio.DatagramProtocol):
    def __init__(self, sim: SimulatedWled, protocol: str) -> None:
        self._sim = sim
        self._protocol = protocol

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._sim.receive(self._protocol, data, addr[0])


async def _announce(sim: SimulatedWled, host: str, zeroconf: AsyncZeroconf, stack: AsyncExitStack) -> None:
    own = [host] if host not in _EVERYWHERE else [*local_addresses()] or ["127.0.0.1"]
    slug = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in sim.unit.traits.name.lower())
    service = AsyncServiceInfo(
        SERVICE,
        f"{slug}.{SERVICE}",
        port=sim.http_port,
        properties={"mac": sim.unit.traits.mac},
        server=f"wled-{sim.unit.traits.mac[-6:]}.local.",
        parsed_addresses=own,
        host_ttl=_HOST_TTL_S,
    )
    announced = await zeroconf.async_register_service(service, allow_name_change=True)
    stack.push_async_callback(_withdraw, zeroconf, service)
    await announced


async def _withdraw(zeroconf: AsyncZeroconf, service: AsyncServiceInfo) -> None:
    await (await zeroconf.async_unregister_service(service))


async def _flush(file: TextIO) -> None:
    while True:
        await asyncio.sleep(_FLUSH_S)
        file.flush()


def _now() -> LocalSeconds:
    return LocalSeconds(time.monotonic())
