"""WLEDs that announce themselves, `_wled._tcp`. The only import of zeroconf for light."""

import ipaddress
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import zeroconf as dns_sd
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from jambridge.errors import LinkError, WireError
from jambridge.light import wled

SERVICE = "_wled._tcp.local."
_ANSWER_WITHIN_MS = 1500
_MOST_ADDRESSES = 4
# A unicast answer would reach only one of the programs on this machine that listen on port 5353.
_QUESTION = dns_sd.DNSQuestionType.QM

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Announcement:
    """Where one WLED says it is; its newest address is first, and stale ones may follow."""

    addresses: tuple[str, ...]
    port: int
    mac: str | None


@asynccontextmanager
async def open_mdns(shared: AsyncZeroconf | None) -> AsyncIterator[AsyncZeroconf]:
    """`shared`, or one of our own.

    Raises:
        LinkError: there is no network to speak on.
    """
    if shared is not None:
        yield shared
        return
    try:
        own = AsyncZeroconf()
    except (OSError, dns_sd.Error, RuntimeError) as exc:  # RuntimeError: no interface has an address
        raise LinkError(f"no mDNS on this network: {exc}") from exc
    try:
        yield own
    finally:
        await own.async_close()


@asynccontextmanager
async def browse(zeroconf: AsyncZeroconf, seen: Callable[[str, bool], None]) -> AsyncIterator[None]:
    """Call `seen(name, there)` whenever a service comes, changes (`there`) or says good-bye.

    Raises:
        LinkError: this `zeroconf` is closed, or has no network.
    """

    def changed(
        zeroconf: dns_sd.Zeroconf,  # noqa: ARG001  given by name
        service_type: str,  # noqa: ARG001
        name: str,
        state_change: dns_sd.ServiceStateChange,
    ) -> None:
        seen(name, state_change is not dns_sd.ServiceStateChange.Removed)

    if zeroconf.zeroconf.done:  # it would browse for ever, and hear nobody
        raise LinkError("no mDNS on this network: it is closed")
    try:
        browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[changed], question_type=_QUESTION)
    except (OSError, dns_sd.Error, RuntimeError) as exc:
        raise LinkError(f"no mDNS on this network: {exc}") from exc
    try:
        yield
    finally:
        await browser.async_cancel()


async def resolve(zeroconf: AsyncZeroconf | None, name: str) -> Announcement:
    """Where the service `name` is now.

    Raises:
        LinkError: it does not say, or nothing that can be an address.
    """
    if zeroconf is None:
        raise LinkError("there is no mDNS on this network")
    try:
        service = AsyncServiceInfo(SERVICE, name)
        known = await service.async_request(zeroconf.zeroconf, _ANSWER_WITHIN_MS, _QUESTION)
    except (OSError, dns_sd.Error) as exc:
        raise LinkError(f"mDNS: {exc}") from exc
    usable = tuple(filter(_usable, service.parsed_addresses()))[:_MOST_ADDRESSES]
    if not known or not usable or not service.port:
        raise LinkError("it is announced, but not where")
    mac = None
    with suppress(WireError):
        mac = wled.parse_mac((service.properties.get(b"mac") or b"").decode("latin-1"))
    return Announcement(usable, service.port, mac)


async def addresses(zeroconf: AsyncZeroconf, host: str) -> list[str]:
    """Addresses of a `.local` host name; none if nobody answers to it."""
    try:
        resolver = dns_sd.AddressResolver(host.rstrip(".") + ".")  # type: ignore[attr-defined]  # public, not in __all__
        await resolver.async_request(zeroconf.zeroconf, _ANSWER_WITHIN_MS, _QUESTION)
    except (OSError, dns_sd.Error):
        return []
    return list(filter(_usable, resolver.parsed_addresses()))[:_MOST_ADDRESSES]


def _usable(address: str) -> bool:
    """Nobody can make us send to a group, to everyone, or to an address that needs an interface's name."""
    parsed = ipaddress.ip_address(address)
    link_local_v6 = parsed.version == 6 and parsed.is_link_local  # noqa: PLR2004  IPv6
    return not (parsed.is_multicast or parsed.is_unspecified or parsed.is_reserved or link_local_v6)
