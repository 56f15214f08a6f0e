"""The addresses of this machine."""

import asyncio
import ipaddress
import socket

import ifaddr

LOOK_S = 5.0


def local_addresses() -> tuple[str, ...]:
    """Every address of every interface by which others could reach us, IPv4 and IPv6, the default route's first."""
    found = {
        str(ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0]))
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    }
    reachable = [address for address in found if not _is_own_business(address)]
    route = default_route()
    return tuple(sorted(reachable, key=lambda address: (address != route, ":" in address, address)))


async def changed(seen: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses as soon as they differ from `seen`: a box often starts before its Wi-Fi."""
    while (now := local_addresses()) == seen:  # noqa: ASYNC110  the kernel tells only netlink sockets
        await asyncio.sleep(LOOK_S)
    return now


def default_route() -> str | None:
    """Our address towards the rest of the network; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737: only the route is asked for
        except OSError:
            return None
        return str(probe.getsockname()[0])


def _is_own_business(address: str) -> bool:
    """Loopback, and link-local IPv6, which means nothing without naming an interface."""
    parsed = ipaddress.ip_address(address)
    return parsed.is_loopback or (parsed.version == 6 and parsed.is_link_local)  # noqa: PLR2004  IPv6
