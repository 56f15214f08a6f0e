"""How soon others are answered while 800 connections say next to nothing: scripts/bench crowd [seconds]"""

import contextlib
import http.client
import ssl
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from tests.fakes.box import PATIENCE_S, Box, open_box
from tests.fakes.crowd import SIXTEEN, crowd

HUB = "jambridge.hub"
PAUSE_S = 0.02


def main(seconds: float) -> None:
    table = Table("Asked", "Crowd", "p50 ms", "p99 ms", "Most ms", "Not served", "Main, core", "Hub, core", box=None)
    with tempfile.TemporaryDirectory() as state, open_box(Path(state), "CROWD2") as box:
        doors = (("status", box.port, "/status"), ("hub", box.hub_port, "/healthz"), ("hub, TLS", box.tls_port, "/"))
        for name, port, path in doors:
            table.add_row(name, "nobody", *_measured(box, port, path, seconds))
            with crowd(port, SIXTEEN):
                table.add_row(name, "16 addresses", *_measured(box, port, path, seconds))
            with crowd(port, SIXTEEN[:1]):
                table.add_row(name, "1 address", *_measured(box, port, path, seconds))
    Console(width=120).print(table)


def _measured(box: Box, port: int, path: str, seconds: float) -> list[str]:
    """Percentiles, what was not served, and the cores of main process and hub."""
    main_process = psutil.Process(box.process.pid)
    (hub,) = [one for one in main_process.children(recursive=True) if HUB in one.cmdline()]
    began, before = time.monotonic(), [_cpu_s(one) for one in (main_process, hub)]
    waits: list[float] = []
    failures = 0
    while time.monotonic() < began + seconds:
        try:
            waits.append(_answered_ms(port, path, secure=port == box.tls_port))
        except (OSError, http.client.HTTPException):
            failures += 1
        time.sleep(PAUSE_S)
    passed_s = time.monotonic() - began
    cores = [(_cpu_s(one) - was) / passed_s for one, was in zip((main_process, hub), before, strict=True)]
    percentiles = np.percentile(waits or [np.nan], [50, 99, 100])
    return [
        *(f"{one:.1f}" for one in percentiles),
        f"{failures} of {failures + len(waits)}",
        *(f"{one:.3f}" for one in cores),
    ]


def _answered_ms(port: int, path: str, *, secure: bool) -> float:
    """A connection of its own."""
    began = time.monotonic()
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=PATIENCE_S, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise http.client.HTTPException(answer.status)
    return 1000 * (time.monotonic() - began)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
