"""The datagrams' way to one WLED."""

import errno
import socket
from collections.abc import Iterable
from typing import Protocol

from jambridge.light import e131
from jambridge.light.wled import RELEASE, Controller

_RELEASES = 3  # in one burst: a lost one would be two and a half seconds of a frozen picture
_ANY_PORT = 9  # a route is looked up, nothing is sent


class Link(Protocol):
    """Nothing of it blocks."""

    def send(self, packets: Iterable[bytes]) -> None:
        """Send one frame; OSError, BlockingIOError where the way is full, and then the rest of it is not sent."""

    def release(self) -> None:
        """Raises OSError."""

    def close(self) -> None: ...


class UdpLink:
    """To its address, or each universe to its multicast group.

    To one address its socket is connected, so that what the network says of it comes back; it is anew after an error.
    """

    def __init__(self, controller: Controller) -> None:
        self._host = controller.host
        self._family = socket.AF_INET6 if ":" in controller.host else socket.AF_INET
        self._udp = (controller.host, controller.udp_port)
        self._data = (controller.host, controller.data_port)
        universes = e131.universes(controller.pixels, controller.channels, controller.universe)
        self._groups = (
            [(e131.group(one), controller.data_port) for one in universes] if _is_multicast(controller) else []
        )
        self._socket: socket.socket | None = None

    def send(self, packets: Iterable[bytes]) -> None:
        try:
            if self._socket is None:
                self._socket = self._open()
            if self._groups:
                for packet, group in zip(packets, self._groups, strict=False):
                    self._socket.sendto(packet, group)
            else:
                for packet in packets:
                    self._socket.send(packet)
        except BlockingIOError:
            raise
        except OSError as exc:
            if exc.errno == errno.ENOBUFS:
                raise BlockingIOError(exc.errno, exc.strerror) from exc
            self.close()
            raise

    def release(self) -> None:
        with socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            for _ in range(_RELEASES):
                sender.sendto(RELEASE, self._udp)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        sender = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if self._groups:
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sent_from(self._host)))
            else:
                sender.connect(self._data)
        except OSError:
            sender.close()
            raise
        return sender


def sent_from(host: str) -> str:
    """Our own address towards `host`; OSError without a route."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as route:
        route.connect((host, _ANY_PORT))
        return str(route.getsockname()[0])


def _is_multicast(controller: Controller) -> bool:
    return controller.protocol == "e131" and controller.multicast and ":" not in controller.host
