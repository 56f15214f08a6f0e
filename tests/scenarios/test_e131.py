"""What we send as E1.31, as two others read it: OLA and the `sacn` package, each on a host of its own."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sacn

from jambridge.light.control import LightSettings
from jambridge.light.link import UdpLink
from jambridge.light.output import Output
from jambridge.light.wled import Controller
from jambridge.units import LocalSeconds
from tests.scenarios.daemon import until
from tests.scenarios.namespaces import Host, network

pytestmark = pytest.mark.scenario

PIXELS = 200  # of RGBW, two universes: 128 and 72 pixels
WARM = np.tile(np.array([1.0, 0.5, 0.25], np.float32), (PIXELS, 1))
AS_SENT = [191, 64, 0, 64]  # white takes over what the three share
STRIP = Controller(
    *("aa0000000001", "Stage", "10.77.0.1", PIXELS),
    channels=4,
    data_port=5568,
    gamma=1.0,
    protocol="e131",
    universe=1,
)
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")  # olad does not run as root


@contextmanager
def sending(host: Host, controller: Controller) -> Iterator[None]:
    """Sixty frames a second from there; then the end of the stream, and a release."""
    output = host.here(lambda: Output(controller, UdpLink(controller), LightSettings()))
    stopped = threading.Event()

    def send() -> None:
        while not stopped.wait(1 / 60):
            output.prepare(WARM, clock())
            output.send(clock)
        output.end_stream()
        output.release()
        output.close()

    def stream() -> None:
        host.here(send)

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def clock() -> LocalSeconds:
    return LocalSeconds(time.monotonic())


@contextmanager
def ola(host: Host) -> Iterator[None]:
    """OLA's daemon there, its E1.31 inputs patched to universes 1 and 2."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        daemon = host.run([*AS_NOBODY, "olad", "--no-http", "--no-register-with-dns-sd", "-c", folder])
        try:
            _patch(host)
            yield
        finally:
            daemon.terminate()
            daemon.wait(10)


def _patch(host: Host) -> None:

    def asked(*command: str) -> str:
        return subprocess.run(host.command(command), capture_output=True, text=True, check=False, timeout=10).stdout

    def device() -> str:
        return next((line for line in asked("ola_dev_info").splitlines() if "E1.31" in line), "")

    until(lambda: bool(device()), "OLA has its E1.31 plug-in")
    number = device().split()[1].rstrip(":")
    for port in (0, 1):
        asked("ola_patch", "-d", number, "-p", str(port), "-i", "-u", str(port + 1))


def recorded(host: Host, file: Path) -> dict[int, list[int]]:
    """The newest values of universes 1 and 2 as OLA has them within a second."""
    command = ["timeout", "-s", "INT", "1", "ola_recorder", "--record", str(file), "--universes", "1,2"]
    subprocess.run(host.command(command), capture_output=True, check=False, timeout=10)
    lines = [line.split() for line in file.read_text().splitlines() if "," in line]
    return {int(universe): [int(value) for value in values.split(",")] for universe, values in lines}


@pytest.mark.parametrize("multicast", [False, True], ids=["unicast", "multicast"])
def test_ola_reads_every_pixel(tmp_path: Path, multicast: bool) -> None:
    with (
        network(2) as (reader, sender),
        ola(reader),
        sending(sender, replace(STRIP, multicast=multicast)),
    ):
        read: dict[int, list[int]] = {}

        def is_whole() -> bool:
            read.update(recorded(reader, tmp_path / "show"))
            return len(read) == 2

        until(is_whole, "both universes are read")
    assert read[1][:512] == AS_SENT * 128
    assert read[2][: 72 * 4] == AS_SENT * 72


@pytest.mark.parametrize("multicast", [False, True], ids=["unicast", "multicast"])
def test_sacn_reads_every_pixel_the_priority_and_the_end(multicast: bool) -> None:
    newest: dict[int, sacn.DataPacket] = {}
    ended: list[int] = []
    with network(2) as (reader, sender):
        receiver = reader.here(lambda: sacn.sACNreceiver(bind_address="0.0.0.0"))
        for universe in (1, 2):
            receiver.register_listener("universe", newest_of(newest, universe), universe=universe)
            if multicast:
                reader.here(lambda universe=universe: receiver.join_multicast(universe))  # type: ignore[misc]

        def changes(universe: int, changed: str) -> None:
            if changed == "timeout":
                ended.append(universe)

        receiver.register_listener("availability", changes)
        reader.here(receiver.start)
        try:
            with sending(sender, replace(STRIP, multicast=multicast, priority=150)):
                until(lambda: len(newest) == 2, "both universes are read")
            until(lambda: sorted(ended) == [1, 1, 1, 2, 2, 2], "the end is told thrice, not waited for")
        finally:
            receiver.stop()
    assert list(newest[1].dmxData[:512]) == AS_SENT * 128
    assert list(newest[2].dmxData[: 72 * 4]) == AS_SENT * 72
    assert {one.priority for one in newest.values()} == {150}
    assert all(one.sourceName.startswith("jambridge ") for one in newest.values())


def newest_of(newest: dict[int, sacn.DataPacket], universe: int) -> Callable[[sacn.DataPacket], None]:
    def take(packet: sacn.DataPacket) -> None:
        newest[universe] = packet

    return take
