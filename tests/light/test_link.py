"""Real sockets on loopback."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from jambridge.light import e131, link
from jambridge.light.link import UdpLink
from jambridge.light.wled import RELEASE, Controller

PIXELS = 200  # two universes
FRAME = np.arange(PIXELS * 3, dtype=np.uint16).astype(np.uint8).reshape(PIXELS, 3)


@contextmanager
def listening(group: str | None = None, port: int = 0) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(5)
        receiver.bind((group or "127.0.0.1", port))
        if group:
            joined = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        yield receiver


def open_files() -> set[str]:
    return {one.name for one in Path("/proc/self/fd").iterdir()}


def port_of(receiver: socket.socket) -> int:
    return int(receiver.getsockname()[1])


def universes(first: int) -> list[bytes]:
    return list(e131.Encoder(e131.Sender(bytes(16), "test"), first, PIXELS, 3).encode(FRAME, 0))


def test_all_packets_of_a_frame_reach_its_address_and_a_release_its_own_port() -> None:
    with listening() as data, listening() as udp:
        controller = Controller("a" * 12, "one", "127.0.0.1", 4, data_port=port_of(data), udp_port=port_of(udp))
        sender = UdpLink(controller)
        sender.send([b"one", b"two"])
        sender.release()
        sender.close()

        assert [data.recv(99), data.recv(99)] == [b"one", b"two"]
        assert [udp.recv(99) for _ in range(3)] == [RELEASE] * 3


def test_each_universe_goes_to_its_own_group() -> None:
    with listening(e131.group(701)) as first, listening(e131.group(702), port_of(first)) as second:
        controller = Controller(
            *("a" * 12, "one", "127.0.0.1", PIXELS),
            data_port=port_of(first),
            protocol="e131",
            universe=701,
            multicast=True,
        )
        sender = UdpLink(controller)
        sender.send(universes(701))
        sender.close()

        assert e131.decode(first.recv(999)).data + e131.decode(second.recv(999)).data == FRAME.tobytes()


def test_nobody_listening_is_told_and_the_next_that_listens_is_reached() -> None:
    with listening() as data:
        port = port_of(data)
    sender = UdpLink(Controller("a" * 12, "one", "127.0.0.1", 4, data_port=port))
    sender.send([b"lost"])
    with pytest.raises(ConnectionRefusedError):
        sender.send([b"the network's answer to the first comes with the second"])
    with listening(port=port) as data:
        sender.send([b"heard"])
        assert data.recv(99) == b"heard"
    sender.close()


def test_without_a_route_nothing_is_sent_and_nothing_is_left_open() -> None:
    before = open_files()
    kept = []  # with all that their frames hold
    for multicast in (False, True):
        nowhere = Controller("a" * 12, "one", "255.255.255.255", 4, protocol="e131", multicast=multicast)
        sender = UdpLink(nowhere)
        with pytest.raises(OSError, match=r".+") as caught:
            sender.send([b"lost"])
        kept.append(caught)
    with pytest.raises(OSError, match=r".+") as caught:
        link.sent_from("255.255.255.255")
    kept.append(caught)
    assert [one.value.errno for one in kept] == [errno.EACCES] * 3
    assert open_files() == before
