"""Peers that come and go leave nothing behind, in the box's own process and in those of its sound cards."""

import asyncio
import subprocess
import sys

import pytest

from tests.bench import peer_cycles
from tests.fakes.jack import jack


@pytest.mark.slow
def test_twenty_peers_leave_no_task_no_thread_no_descriptor_and_no_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    with jack() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        readings = asyncio.run(peer_cycles.measure(20, 10))

    assert len(readings) > 5
    assert peer_cycles.is_flat(readings), readings


@pytest.mark.slow
def test_hundreds_of_peers_leave_no_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.peer_cycles"], capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
