import asyncio

import pytest

from jambridge.status import view
from jambridge.status.server import open_status
from tests.fakes.ports import free_port
from tests.status.test_server import made


def test_the_daemon_on_this_machine_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    async def scenario() -> None:
        port = free_port()
        async with open_status(made({"schema_version": 1}, {}), "127.0.0.1", port):
            assert await asyncio.to_thread(view.fetch, "127.0.0.1", port) == {"schema_version": 1}

    asyncio.run(scenario())
