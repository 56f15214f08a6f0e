"""A host whose way to another is far too slow: what it sends there waits in the kernel, and fills its socket's buffer.

Source: man 8 tc-htb, tc-u32; man 7 socket (SO_SNDBUF, EAGAIN).
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.scenarios.namespaces import Host

_RATE = "8kbit"  # a packet a second
_DEVICE = ("dev", "eth0")


@contextmanager
def congested(host: Host, to: Host) -> Iterator[None]:
    """What still waits at the end is thrown away. To all others the way is free."""
    _tc(host, "qdisc", "add", *_DEVICE, "root", "handle", "1:", "htb", "default", "1")
    try:
        for number, rate in ((1, "10gbit"), (2, _RATE)):
            way = ("parent", "1:", "classid", f"1:{number}", "htb", "rate", rate, "quantum", "1600")
            _tc(host, "class", "add", *_DEVICE, *way)
        match = ("protocol", "ip", "u32", "match", "ip", "dst", f"{to.address}/32", "flowid", "1:2")
        _tc(host, "filter", "add", *_DEVICE, "parent", "1:", *match)
        yield
    finally:
        _tc(host, "qdisc", "delete", *_DEVICE, "root")


def _tc(host: Host, *arguments: str) -> None:
    subprocess.run(host.command(["tc", *arguments]), check=True, capture_output=True)
