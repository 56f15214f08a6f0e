"""Rooms made, joined and left again and again leave nothing behind; the hub is a process of its own."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import room_cycles


@pytest.mark.slow
def test_sixty_rooms_leave_no_task_and_no_descriptor(tmp_path: Path) -> None:
    readings = asyncio.run(room_cycles.measure(60, 10, tmp_path))

    assert len(readings) > 5
    assert room_cycles.is_flat(readings), readings


@pytest.mark.slow
def test_thousands_of_rooms_leave_no_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.room_cycles", "4000", "1000"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
