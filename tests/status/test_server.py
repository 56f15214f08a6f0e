"""The local HTTP status over a real socket."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from jambridge.edges import Latest
from jambridge.errors import DeviceError, Text
from jambridge.status.access import Access
from jambridge.status.alerts import Alerts
from jambridge.status.live import Live
from jambridge.status.notify import notify
from jambridge.status.server import StatusServer, open_status
from jambridge.strict_json import JsonObject
from tests.fakes.ports import free_port


def made(status: JsonObject, faults: dict[str, str], token: str | None = None) -> StatusServer:
    live = Live(lambda: status, Latest(False), Latest(b""), Latest(None))
    return StatusServer(lambda: status, lambda: faults, lambda: False, Access(token, ()), live)


def served(
    scenario: Callable[[aiohttp.ClientSession, str], Awaitable[None]], faults: dict[str, str] | None = None
) -> None:
    async def run() -> None:
        port = free_port()
        server = made({"schema_version": 1, "uptime_s": 3}, faults or {})
        async with open_status(server, "127.0.0.1", port), aiohttp.ClientSession() as session:
            await scenario(session, f"http://127.0.0.1:{port}")

    asyncio.run(run())


def test_status_is_served_and_unchanged_status_is_not_sent_again() -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        async with session.get(f"{base}/status") as answer:
            assert (await answer.json())["schema_version"] == 1
            tag = answer.headers["ETag"]
        async with session.get(f"{base}/status", headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304

    served(scenario)


def test_health_names_what_does_not_tick() -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        async with session.get(f"{base}/healthz") as answer:
            assert (answer.status, await answer.text()) == (503, "light: does not tick\n")
        async with session.get(f"{base}/readyz") as answer:
            assert answer.status == 503

    served(scenario, {"light": "does not tick"})


@pytest.mark.parametrize(
    ("host", "status"), [("evil.example", 421), ("localhost", 200), ("[::1]:3080", 200), ("", 421)]
)
def test_only_names_of_this_machine_are_answered(host: str, status: int) -> None:
    async def scenario(session: aiohttp.ClientSession, base: str) -> None:
        async with session.get(f"{base}/healthz", headers={"Host": host}) as answer:
            assert answer.status == status

    served(scenario)


def test_a_port_in_use_is_told_with_its_remedy() -> None:
    async def run() -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            server = made({}, {})
            with pytest.raises(DeviceError, match=r"cannot listen on 127.0.0.1:\d+.*http.port"):
                async with open_status(server, "127.0.0.1", other.getsockname()[1]):
                    pass

    asyncio.run(run())


def test_systemd_is_told_over_its_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        os.environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        try:
            assert notify("READY=1", "STATUS=running")
        finally:
            del os.environ["NOTIFY_SOCKET"]
        assert systemd.recv(100) == b"READY=1\nSTATUS=running"
    assert not notify("READY=1")


def test_an_alert_keeps_the_time_of_its_cause_and_goes_with_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jambridge.status.alerts")
    times = iter([10.0, 20.0])
    alerts = Alerts(lambda: next(times))
    alerts.set(Text.RECONNECTING, "first")
    alerts.set(Text.RECONNECTING, "again")
    (alert,) = alerts.active()
    assert (alert.code, alert.text, alert.cause, alert.since) == (
        "reconnecting",
        "Connection lost, reconnecting...",
        "again",
        10.0,
    )
    for _ in range(2):
        alerts.clear(Text.RECONNECTING)
        assert alerts.active() == ()
    assert caplog.messages == [
        "Connection lost, reconnecting... code=reconnecting cause=first",
        "over: Connection lost, reconnecting... code=reconnecting",
    ]
