"""Addresses of the networks around this machine that are no peer's: gateways and broadcasts. Linux."""

import ipaddress
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import ifaddr

from jambridge.peers.candidates import Address

ROUTES = Path("/proc/net/route")
ROUTES_6 = Path("/proc/net/ipv6_route")
_GATEWAY, _GATEWAY_6 = 2, 4  # columns, proc_net_route(5)
_SHARED = 30  # the longest prefix that leaves room for a broadcast address


def nobodys() -> frozenset[Address]:
    """Gateways, and what every machine of a network listens to; read anew each time, for networks change."""
    networks = {
        ipaddress.IPv4Network((ip.ip, ip.network_prefix), strict=False)
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if isinstance(ip.ip, str)
    }
    return frozenset({*gateways(_text(ROUTES)), *gateways_6(_text(ROUTES_6)), *broadcasts(networks)})


def gateways(table: str) -> frozenset[IPv4Address]:
    """Those of /proc/net/route, whose numbers are in this machine's byte order."""
    found = (line.split()[_GATEWAY] for line in table.splitlines()[1:])
    return frozenset(IPv4Address(socket.htonl(int(gateway, 16))) for gateway in found if int(gateway, 16))


def gateways_6(table: str) -> frozenset[IPv6Address]:
    """Those of /proc/net/ipv6_route."""
    found = (line.split()[_GATEWAY_6] for line in table.splitlines())
    return frozenset(IPv6Address(int(gateway, 16)) for gateway in found if int(gateway, 16))


def broadcasts(networks: Iterable[ipaddress.IPv4Network]) -> frozenset[IPv4Address]:
    """Both ends of each network that has a broadcast address; the lower one is its older form (RFC 1122, 3.3.6)."""
    shared = [network for network in networks if network.prefixlen <= _SHARED]
    return frozenset(end for network in shared for end in (network[0], network[-1]))


def _text(table: Path) -> str:
    try:
        return table.read_text()
    except OSError:  # a kernel without IPv6
        return ""
