"""A host behind a bad cable, which is made better or worse while it is used."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fakes.impaired import Impairment
from tests.scenarios.namespaces import Host, spliced

Counters = dict[str, dict[str, int]]
"""By way, `up` and `down`: how many frames were passed, lost on purpose, overflowed."""
PERFECT = Impairment()


class Cable:
    """Up is what the host sends. Use `impaired`."""

    def __init__(self, relay: subprocess.Popen[str]) -> None:
        self._relay = relay

    @property
    def pid(self) -> int:
        return self._relay.pid

    def change(self, up: Impairment | None = None, down: Impairment | None = None) -> Counters:
        """In force when this returns, for frames that come from then on; None leaves a way as it is."""
        wanted = {"up": up, "down": down}
        line = json.dumps({way: dataclasses.asdict(one) for way, one in wanted.items() if one is not None})
        assert self._relay.stdin is not None
        assert self._relay.stdout is not None
        self._relay.stdin.write(f"{line}\n")
        self._relay.stdin.flush()
        counters: Counters = json.loads(self._relay.stdout.readline())
        return counters

    def counters(self) -> Counters:
        return self.change()


@contextmanager
def impaired(host: Host, up: Impairment = PERFECT, down: Impairment | None = None, seed: int = 1) -> Iterator[Cable]:
    """Put `host` behind a relay; `down` is as `up` where it is not given. The seed decides which frames are lost."""
    with spliced(host) as box:
        relay = subprocess.Popen(
            box.command([sys.executable, "-m", "tests.fakes.impaired", "inner", "outer", str(seed)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with relay:
            cable = Cable(relay)
            cable.change(up, up if down is None else down)
            try:
                yield cable
            finally:
                relay.kill()
