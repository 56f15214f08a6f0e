"""Homes behind routers: a host whose only way out is a translation of addresses, open or symmetric."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.scenarios.namespaces import Host
from tests.scenarios.namespaces import _ip as ip
from tests.scenarios.namespaces import _remove as remove


@contextmanager
def home(router: Host, number: int, *, symmetric: bool) -> Iterator[Host]:
    """A host behind `router`, at 10.78.NUMBER.2.

    Symmetric: every destination sees another port, so that nobody can be told where to reach it. Else the port stays
    the same, and answers come through once something was sent (RFC 4787: endpoint-independent mapping, address- and
    port-dependent filtering).
    """
    host = Host(f"{router.name}h", f"10.78.{number}.2")
    inside = f"10.78.{number}.1"
    try:
        ip("netns", "add", host.name)
        ip("-n", router.name, "link", "add", "inside", "type", "veth", "peer", "name", "eth0", "netns", host.name)
        ip("-n", router.name, "address", "add", f"{inside}/24", "dev", "inside")
        ip("-n", router.name, "link", "set", "inside", "up")
        ip("-n", host.name, "link", "set", "lo", "up")
        ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "eth0")
        ip("-n", host.name, "link", "set", "eth0", "up")
        ip("-n", host.name, "route", "add", "default", "via", inside)
        _run(router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        port = ("--random-fully",) if symmetric else ()
        _run(router, "iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "eth0", "-j", "MASQUERADE", *port)
        # What nobody asked for is dropped, and not remembered: it would take the port of what is about to be sent.
        _run(router, "iptables", "-A", "INPUT", "-i", "eth0", "-p", "udp", "-j", "DROP")
        _run(router, "iptables", "-P", "FORWARD", "DROP")
        _run(router, "iptables", "-A", "FORWARD", "-i", "inside", "-j", "ACCEPT")
        _run(router, "iptables", "-A", "FORWARD", "-m", "state", "--state", "ESTABLISHED,RELATED", "-j", "ACCEPT")
        yield host
    finally:
        remove(host.name)


def part(first: Host, second: Host) -> None:
    """Neither finds a way to the other any more."""
    for here, there in ((first, second), (second, first)):
        ip("-n", here.name, "route", "add", "unreachable", f"{there.address}/32")


def rejoin(first: Host, second: Host) -> None:
    for here, there in ((first, second), (second, first)):
        ip("-n", here.name, "route", "delete", "unreachable", f"{there.address}/32")


def filtering(host: Host, *rule: str) -> None:
    """A rule more (-A), or no longer (-D), for what `host` takes."""
    _run(host, "iptables", *rule)


def _run(host: Host, *command: str) -> None:
    done = subprocess.run(host.command(command), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
