"""Hubs on the LAN by DNS service discovery (RFC 6763 over RFC 6762): `_jambridge._tcp`, announced and found."""

import asyncio
import ipaddress
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import ifaddr
from zeroconf import DNSQuestionType, Error, InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from jambridge import __version__
from jambridge.edges import Dropping
from jambridge.errors import LinkError, WireError

log = logging.getLogger(__name__)

SERVICE = "_jambridge._tcp.local."
MAX_ADDRESSES = 16
_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_VERSION = re.compile(r"[A-Za-z0-9.+-]{1,32}")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_MAX_PORT = 65_535
_MAX_WAITING = 32  # hubs found and not yet taken, and names being resolved: a hostile network can announce thousands
QUESTION = DNSQuestionType.QM
"""Multicast answers: a unicast one reaches only one of the programs on this machine that listen on port 5353."""
_RESOLVE_MS = 2000
_SETTLE_S = 0.25  # after the first hub, the others of the same network have answered as well

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub as it announces itself; `addresses` has the likeliest to be reached first."""

    id: str
    addresses: tuple[str, ...]
    port: int
    tls_port: int
    version: str = __version__
    stays: bool = False
    """It was told to be the hub, and makes way for nobody."""

    @property
    def rank(self) -> tuple[bool, str]:
        """Of several hubs the one with the lowest is the network's."""
        return not self.stays, self.id


@asynccontextmanager
async def announce(hub: Hub) -> AsyncIterator[None]:
    """Announce `hub` on every interface; leaving says goodbye.

    Raises:
        LinkError: there is no network, or its other members refuse the name.
    """
    name = f"jambridge-{hub.id[:16]}"
    properties = {"version": hub.version, "id": hub.id, "http": str(hub.port), "tls": str(hub.tls_port)}
    if hub.stays:
        properties["stays"] = "1"
    info = AsyncServiceInfo(
        SERVICE,
        f"{name}.{SERVICE}",
        port=hub.port,
        properties=properties,
        server=f"{name}.local.",
        addresses=[ipaddress.ip_address(address).packed for address in hub.addresses[:MAX_ADDRESSES]],
    )
    async with _network() as network:
        try:
            await network.async_register_service(info, allow_name_change=True)
        except (Error, OSError) as exc:
            raise LinkError(f"the hub cannot be announced: {exc}") from exc
        yield  # closing the network says goodbye for all that it announced


@asynccontextmanager
async def watch() -> AsyncIterator["Watch"]:
    """Yield the hubs as they are found, until left.

    Raises:
        LinkError: there is no network.
    """
    async with _network() as network:
        found = Watch(network.zeroconf)
        async with AsyncServiceBrowser(
            network.zeroconf, SERVICE, handlers=[found.service_changed], question_type=QUESTION
        ):
            try:
                yield found
            finally:
                await found.close()


async def find_hubs(timeout_s: float = 1.0) -> tuple[Hub, ...]:
    """The hubs that answer in time, the one to stay first; without a network none."""
    hubs: dict[str, Hub] = {}
    try:
        async with watch() as found, asyncio.timeout(timeout_s) as deadline:
            while True:
                hub = await found.get()
                hubs[hub.id] = hub
                settled_s = asyncio.get_running_loop().time() + _SETTLE_S
                deadline.reschedule(min(deadline.when() or settled_s, settled_s))
    except TimeoutError:
        pass
    except LinkError as exc:
        log.info("hubs not looked for error=%s", exc)
    return tuple(sorted(hubs.values(), key=lambda hub: hub.rank))


class Watch:
    """Resolves what appears. What cannot be a hub is dropped and counted."""

    def __init__(self, zeroconf: Zeroconf) -> None:
        self._zeroconf = zeroconf
        self._found: Dropping[Hub] = Dropping(_MAX_WAITING)
        self._resolving: set[asyncio.Task[None]] = set()
        self.dropped = 0

    async def get(self) -> Hub:
        """The next hub; one that changed comes again."""
        return await self._found.get()

    def service_changed(
        self,
        zeroconf: Zeroconf,  # noqa: ARG002  the names are the library's keywords
        service_type: str,  # noqa: ARG002
        name: str,
        state_change: ServiceStateChange,
    ) -> None:
        if state_change is ServiceStateChange.Removed:
            return  # a goodbye can be forged: who uses a hub notices by itself that it is gone
        if len(self._resolving) >= _MAX_WAITING:
            self.dropped += 1
            return
        task = asyncio.get_running_loop().create_task(self._resolve(name))
        self._resolving.add(task)
        task.add_done_callback(self._resolving.discard)

    async def close(self) -> None:
        for task in self._resolving:
            task.cancel()
        if self._resolving:
            await asyncio.wait(self._resolving)

    async def _resolve(self, name: str) -> None:
        try:
            info = AsyncServiceInfo(SERVICE, name)
            if await info.async_request(self._zeroconf, _RESOLVE_MS, QUESTION):
                self._found.put(parse(info.properties, info.port or 0, info.parsed_addresses(IPVersion.All)))
        except (WireError, Error, OSError, ValueError) as exc:
            self.dropped += 1
            log.debug("announcement dropped name=%.64r error=%s", name, exc)


def parse(properties: Mapping[bytes, bytes | None], port: int, addresses: Sequence[str]) -> Hub:
    """A hub from its TXT record, SRV port and addresses.

    Raises:
        WireError: a field is missing or impossible, or no address is one of a local network.
    """
    if not 0 < port <= _MAX_PORT:
        raise WireError(f"no port {port}")
    tls_port = int(_field(properties, b"tls", _PORT))
    if tls_port > _MAX_PORT:
        raise WireError(f"no port {tls_port}")
    reachable = _by_reach(addresses[:MAX_ADDRESSES])
    if not reachable:
        raise WireError("no address of a local network")
    version = _field(properties, b"version", _VERSION)
    return Hub(_field(properties, b"id", _ID), reachable, port, tls_port, version, properties.get(b"stays") == b"1")


def _field(properties: Mapping[bytes, bytes | None], key: bytes, form: re.Pattern[str]) -> str:
    text = (properties.get(key) or b"").decode("ascii", "replace")
    if not form.fullmatch(text):
        raise WireError(f"TXT {key.decode()} is missing or malformed")
    return text


def _by_reach(texts: Sequence[str]) -> tuple[str, ...]:
    """Those of a local network: on a network of ours first, our own last (each machine has the same bridge address)."""
    adapters = [ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    networks = [ipaddress.ip_network(f"{ip.ip}/{ip.network_prefix}", strict=False) for ip in adapters]
    own = {ip.ip for ip in adapters}

    def rank(address: _Address) -> tuple[bool, bool, bool, str]:
        return (str(address) in own, not on_link(address), address.version != 4, str(address))  # noqa: PLR2004  IPv4

    def on_link(address: _Address) -> bool:
        return any(address in network for network in networks)

    usable = {address for text in texts if (address := _address(text)) and (address.is_private or on_link(address))}
    return tuple(str(address) for address in sorted(usable, key=rank))


def _address(text: str) -> _Address | None:
    """An address that one host can have. Which of those may be used is asked elsewhere."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if address.is_multicast or address.is_unspecified or address.is_reserved else address


@asynccontextmanager
async def _network() -> AsyncIterator[AsyncZeroconf]:
    try:
        network = AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)
    except (OSError, RuntimeError) as exc:  # RuntimeError: no interface has an address
        raise LinkError(f"no network for mDNS: {exc}") from exc
    try:
        yield network
    finally:
        await network.async_close()
