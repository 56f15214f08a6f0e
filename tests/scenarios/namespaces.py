"""Several hosts on one machine: network namespaces on one bridge, each with an address and a default route.

A thread that enters a namespace makes sockets that stay there (man 7 network_namespaces), so the test itself can ask
any host's loopback and listen on any host's wire.
"""

import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")

PREFIX = "jb-"  # then the process id of the test, so that what a killed run left behind is found and removed
NETWORK = "10.77.0"
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_RUN = Path("/run/netns")


@dataclass(frozen=True, slots=True)
class Host:
    """One machine of the network; `name` is its namespace's."""

    name: str
    address: str

    def command(self, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *argv]

    def run(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None = None,
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a process here. Its id is the program's own: `ip` becomes it."""
        return subprocess.Popen(
            self.command(argv),
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )

    def here(self, act: Callable[[], T]) -> T:
        """What `act` gives when called on this host; the sockets it makes stay here."""
        outcome: list[T | BaseException] = []

        def enter_and_act() -> None:
            try:
                _enter(self.name)
                outcome.append(act())
            except BaseException as exc:  # noqa: BLE001  handed to the caller below
                outcome.append(exc)

        thread = threading.Thread(target=enter_and_act)
        thread.start()
        thread.join()
        (result,) = outcome
        if isinstance(result, BaseException):
            raise result
        return result

    def connect(self, port: int, timeout_s: float = 5.0) -> socket.socket:
        """A connection to a service on this host's loopback."""
        return self.here(lambda: socket.create_connection(("127.0.0.1", port), timeout_s))

    def unplug(self) -> None:
        """Pull the cable; the address and its routes go with it, as they do on a laptop."""
        _ip("-n", self.name, "link", "set", "eth0", "down")

    def plug_in(self) -> None:
        _ip("-n", self.name, "link", "set", "eth0", "up")
        _ip("-n", self.name, "route", "replace", "default", "dev", "eth0")

    def readdress(self, address: str) -> None:
        """Give it another address, as a router does after a while."""
        _ip("-n", self.name, "address", "flush", "dev", "eth0")
        _ip("-n", self.name, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", self.name, "route", "replace", "default", "dev", "eth0")


@contextmanager
def network(count: int) -> Iterator[list[Host]]:
    """`count` hosts, 10.77.0.1 the first. Leaving ends every process that still runs on them."""
    remove_stale()
    stem = f"{PREFIX}{os.getpid()}-{secrets.token_hex(1)}"
    hosts = [Host(f"{stem}-{number}", f"{NETWORK}.{number}") for number in range(1, count + 1)]
    bridge = f"b{stem.removeprefix(PREFIX)}"
    try:
        _ip("link", "add", bridge, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        _ip("link", "set", bridge, "up")
        for number, host in enumerate(hosts, 1):
            _add(host, bridge, f"v{bridge[1:]}-{number:x}")
        yield hosts
    finally:
        for host in hosts:
            _remove(host.name)
        _ip("link", "delete", bridge, check=False)


@contextmanager
def spliced(host: Host) -> Iterator[Host]:
    """A box without an address in the middle of a host's cable; its interface `inner` is the host's side, `outer` ours.

    Nothing passes unless a program there relays it. Both sides do their own checksums and segmentation.
    """
    stem, _, number = host.name.removeprefix(PREFIX).rpartition("-")
    cable, box = f"v{stem}-{int(number):x}", Host(f"{host.name}r", "")
    try:
        _ip("netns", "add", box.name)
        _ip("link", "set", cable, "netns", box.name)
        _ip("-n", box.name, "link", "set", cable, "name", "inner")
        _ip("link", "add", cable, "type", "veth", "peer", "name", "outer", "netns", box.name)
        _ip("link", "set", cable, "master", f"b{stem}", "up")
        for end in ("inner", "outer"):
            _ip("-n", box.name, "link", "set", end, "addrgenmode", "none", "arp", "off", "up")
        _without_offload([], cable)
        _without_offload(host.command([]), "eth0")
        yield box
    finally:
        _ip("link", "delete", cable, check=False)
        _ip("-n", box.name, "link", "set", "inner", "down", "arp", "on", "name", cable, check=False)
        _ip("-n", box.name, "link", "set", cable, "netns", str(os.getpid()), check=False)
        _ip("link", "set", cable, "master", f"b{stem}", "up", check=False)
        _remove(box.name)


@contextmanager
def lonely_host() -> Iterator[Host]:
    """A host whose only interface is its loopback: no network at all."""
    host = Host(f"{PREFIX}{os.getpid()}-{secrets.token_hex(1)}-0", "127.0.0.1")
    try:
        _ip("netns", "add", host.name)
        _ip("-n", host.name, "link", "set", "lo", "up")
        yield host
    finally:
        _remove(host.name)


def remove_stale() -> None:
    """Remove the namespaces and bridges of runs that are no more."""
    names = [path.name for path in _RUN.glob(f"{PREFIX}*")]
    for name in names:
        if _is_stale(name.removeprefix(PREFIX)):
            _remove(name)
    for link in json.loads(_ip("-json", "link", "show", "type", "bridge") or "[]"):
        name = link.get("ifname", "")
        if name[:1] == "b" and name[1:].partition("-")[0].isdigit() and _is_stale(name[1:]):
            _ip("link", "delete", name, check=False)


def _add(host: Host, bridge: str, cable: str) -> None:
    _ip("netns", "add", host.name)
    _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    _ip("link", "set", cable, "master", bridge, "up")
    _ip("-n", host.name, "link", "set", "lo", "up")
    _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", "eth0")
    _ip("-n", host.name, "link", "set", "eth0", "up")
    _ip("-n", host.name, "route", "add", "default", "dev", "eth0")


def _remove(name: str) -> None:
    for pid in _ip("netns", "pids", name, check=False).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _ip("netns", "delete", name, check=False)


def _is_stale(rest: str) -> bool:
    return not Path("/proc", rest.partition("-")[0]).exists()


def _without_offload(command: Sequence[str], device: str) -> None:
    argv = [*command, "ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off"]
    subprocess.run(argv, check=True, capture_output=True)


def _ip(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _enter(name: str) -> None:
    with (_RUN / name).open("rb") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {name}")
