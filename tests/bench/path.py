"""How soon a bridge hears a musician by each path, and again after a fault: `python -m tests.bench.path [RUNS]`.

Hosts are network namespaces, the TURN server is Debian's coturn, a hub stands for Supabase. Seconds count from the
musician's appearance in the room, or from the moment when what was missing is back; the worst of all runs is shown.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import sleep

from tests.bench.stage import table
from tests.scenarios import nat
from tests.scenarios.namespaces import Host, network
from tests.scenarios.paths import NO_SERVERS, Band, Webrtc, cloud_hub, open_band, webrtc
from tests.scenarios.turn import Coturn, coturn

DEAD_PORT = 9


@dataclass(frozen=True)
class World:
    """Two homes and what is between them."""

    box: Host
    home: Host
    cable: Host
    """Whose cable is pulled: the bridge's, or its router's."""
    cloud: Host
    hub: str
    turn: Coturn
    directory: Path

    @contextmanager
    def band(self, section: Webrtc) -> Iterator[Band]:
        trust = {"SSL_CERT_FILE": str(self.directory / "turn.pem")}
        with open_band(self.box, self.home, self.hub, self.directory / "band", [section], trust) as band:
            yield band


@contextmanager
def open_world(*, behind: str | None = None) -> Iterator[World]:
    """`behind`: a cone or symmetric router each; None: one network."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jambridge-bench-")))
        box, home, cloud = stack.enter_context(network(3))
        cable = box
        if behind is not None:
            symmetric = behind == "symmetric"
            box = stack.enter_context(nat.home(box, 1, symmetric=symmetric))
            home = stack.enter_context(nat.home(home, 2, symmetric=symmetric))
        hub = stack.enter_context(cloud_hub(cloud, directory / "hub"))
        turn = stack.enter_context(coturn(cloud, directory))
        drop = ("iptables", "-A", "INPUT", "-p", "udp", "--dport", str(DEAD_PORT), "-j", "DROP")
        subprocess.run(cloud.command(drop), check=True)
        yield World(box, home, cable, cloud, hub, turn, directory)


def connecting(world: World, section: Webrtc) -> tuple[float, str]:
    with world.band(section) as band:
        seconds = band.seconds_to_sound()
        return seconds, band.peer()["path"]


def turn_gone(world: World, section: Webrtc, seconds: float) -> tuple[float, str]:
    with world.band(section) as band:
        band.seconds_to_sound()
        world.turn.kill()
        sleep(seconds)
        world.turn.start()
        return band.await_sound(60), band.peer()["path"]


def network_gone(world: World, section: Webrtc, seconds: float) -> tuple[float, str]:
    with world.band(section) as band:
        band.seconds_to_sound()
        return band.cut(seconds, world.cable), band.peer()["path"]


def musician_gone(world: World, section: Webrtc, seconds: float) -> tuple[float, str]:
    with world.band(section) as band:
        band.seconds_to_sound()
        band.player.kill()
        sleep(seconds)
        band.player.start()
        return band.await_sound(60), band.peer()["path"]


def dead(world: World) -> Webrtc:
    """A STUN and a TURN server that take what comes and never answer."""
    address = world.cloud.address
    server = {
        "urls": [f"stun:{address}:{DEAD_PORT}", f"turn:{address}:{DEAD_PORT}"],
        "username": "a",
        "credential": "b",
    }
    return {"ice_servers": [server], "policy": "all"}


def main(runs: int = 3) -> None:
    if os.geteuid():
        raise SystemExit("this bench makes network namespaces: please run it as root")
    rows: list[tuple[str, ...]] = []

    def row(what: str, bar: str, act: Callable[[], tuple[float, str]]) -> None:
        seen = [act() for _ in range(runs)]
        seconds = [took for took, _ in seen]
        paths = " ".join(sorted({path for _, path in seen}))
        rows.append((what, paths, f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}", bar))

    with open_world() as world:
        row("one network, no servers", "3", lambda: connecting(world, NO_SERVERS))
        row("one network, STUN and TURN", "3", lambda: connecting(world, webrtc(world.cloud, "stun", "udp")))
        row("one network, both servers dead", "", lambda: connecting(world, dead(world)))
        for kind in ("udp", "tcp", "tls"):
            relay = webrtc(world.cloud, kind, policy="relay")
            row(f"policy relay, TURN over {kind.upper()}", "3", partial(connecting, world, relay))
        row("network gone for 10 s", "2", lambda: network_gone(world, NO_SERVERS, 10))
        row("network gone for 45 s", "8", lambda: network_gone(world, NO_SERVERS, 45))
        row("musician killed, started at once", "8", lambda: musician_gone(world, NO_SERVERS, 0))
        row("musician killed, started after 20 s", "8", lambda: musician_gone(world, NO_SERVERS, 20))
    with open_world(behind="cone") as world:
        row("two cone NATs, STUN and TURN", "3", lambda: connecting(world, webrtc(world.cloud, "stun", "udp")))
    with open_world(behind="symmetric") as world:
        both = webrtc(world.cloud, "stun", "udp")
        row("two symmetric NATs, STUN and TURN", "3", lambda: connecting(world, both))
        row("TURN gone for 2 s", "10", lambda: turn_gone(world, both, 2))
        row("TURN gone for 12 s", "10", lambda: turn_gone(world, both, 12))
        row("network gone for 10 s", "2", lambda: network_gone(world, both, 10))
        row("network gone for 45 s", "8", lambda: network_gone(world, both, 45))
    table(
        f"From a musician's appearance, or the end of a fault, to sound; {runs} runs, s",
        ("", "path", "median", "worst", "bar"),
        rows,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
