"""Ports that nobody listens at."""

import socket
from contextlib import ExitStack


def free_port() -> int:
    (port,) = free_ports(1)
    return port


def free_ports(count: int, kind: int = socket.SOCK_STREAM) -> list[int]:
    """Different ones, on all of this machine's addresses."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(type=kind)) for _ in range(count)]
        for one in sockets:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]
