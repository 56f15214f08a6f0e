"""Musicians without a browser, for where the browser is not what is tested: real WebRTC, a process each."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.scenarios.namespaces import Host


@contextmanager
def playing(host: Host, box: Host, room: str, number: int = 0, act: str = "music") -> Iterator["subprocess.Popen[str]"]:
    """A musician on `host` in the room of the hub on `box`; see tests/bench/musician.py for what each act is."""
    hub = f"http://{box.address}:3001"
    command = [sys.executable, "-m", "tests.bench.musician", hub, room, str(number), act]
    process = subprocess.Popen(host.command(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
