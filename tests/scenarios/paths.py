"""A bridge and a musician who may not be in one network; a hub stands for Supabase."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.scenarios.daemon import Daemon, Status, open_daemon, until
from tests.scenarios.namespaces import Host
from tests.scenarios.turn import PASSWORD, PORT, TLS_PORT, USER

ROOM = "PATH23"
KEY = "sb_publishable_abcdefghijklmnopqrstuv_abcdefgh"
HUB_PORT = 3001
Webrtc = Mapping[str, Any]
NO_SERVERS: Webrtc = {"ice_servers": [], "policy": "all"}


def webrtc(host: Host, *kinds: str, policy: str = "all") -> Webrtc:
    """The section for servers on `host`: stun, udp, tcp, tls."""
    urls = {
        "stun": f"stun:{host.address}:{PORT}",
        "udp": f"turn:{host.address}:{PORT}",
        "tcp": f"turn:{host.address}:{PORT}?transport=tcp",
        "tls": f"turns:{host.address}:{TLS_PORT}",
    }
    server = {"urls": [urls[kind] for kind in kinds], "username": USER, "credential": PASSWORD}
    return {"ice_servers": [server], "policy": policy}


@contextmanager
def cloud_hub(host: Host, directory: Path) -> Iterator[str]:
    """A room server that everybody reaches; its URL."""
    command = [sys.executable, "-m", "jambridge.hub", "--no-advertise", "--state-dir", str(directory)]
    process = host.run(command)
    try:
        until(lambda: _answers(host), "the hub answers")
        yield f"http://{host.address}:{HUB_PORT}"
    finally:
        process.kill()
        process.wait(10)


@dataclass
class Band:
    """`listener` is the bridge, whose status says what arrives."""

    listener: Daemon
    player: "Player"

    def peer(self) -> Status:
        """The musician; the room may still know a bridge of before, whose cable was out when it left."""
        peers = self.listener.status()["audio"]["peers"]
        return next((peer for peer in reversed(peers) if peer["name"].startswith("Musician")), {})

    def alerts(self) -> dict[str, str]:
        """Text → cause."""
        return {alert["text"]: alert["cause"] for alert in self.listener.status()["alerts"]}

    def await_sound(self, patience_s: float = 30.0) -> float:
        """Until packets arrive, from now on; the seconds that took."""
        before = self.peer().get("packets", 0), self.peer().get("id")

        def arrives() -> bool:
            peer = self.peer()
            if not peer or peer["silent_s"] is None or peer["silent_s"] > 0.5:
                return False
            return bool(peer["packets"] > before[0] or peer["id"] != before[1] or peer["packets"] < before[0] > 0)

        return until(arrives, "sound arrives", patience_s)

    def cut(self, seconds: float, at: Host | None = None) -> float:
        """Pull the cable of the bridge, or of its router, for so long; how long after it was back there was sound."""
        cable = at or self.listener.host
        cable.unplug()
        time.sleep(seconds)
        silent_s = self.peer().get("silent_s")
        assert silent_s is None or silent_s > seconds - 1
        cable.plug_in()
        return self.await_sound(60)

    def await_path(self, path: str) -> None:
        self.listener.await_status(lambda status: _paths(status) == [path], f"the path is {path}")

    def await_alert(self, text: str, *, there: bool = True, patience_s: float = 30.0) -> float:
        return until(lambda: (text in self.alerts()) is there, f"{text!r} is {'' if there else 'not '}told", patience_s)

    def seconds_to_sound(self) -> float:
        """From the musician's appearance in the room to sound."""
        self.listener.await_status(lambda status: len(status["room"]["participants"]) == 2, "the musician is there")
        began = time.monotonic()
        self.listener.await_status(
            lambda status: any(peer["packets"] for peer in status["audio"]["peers"]), "the musician is heard"
        )
        return time.monotonic() - began


class Player:
    """A musician in a process, which may be killed and started again."""

    def __init__(self, host: Host, hub: str, config: Path, env: Mapping[str, str]) -> None:
        self._host = host
        self._command = [sys.executable, "-m", "tests.bench.musician", hub, ROOM, "0", "music", str(config)]
        self._config = config
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._config.with_suffix(f".{time.monotonic_ns()}.log").open("wb") as log:
            self._process = self._host.run(self._command, self._env, stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def open_band(
    box: Host,
    home: Host,
    hub: str,
    directory: Path,
    sections: Sequence[Webrtc],
    env: Mapping[str, str] | None = None,
) -> Iterator[Band]:
    """A bridge on `box` and a musician on `home`; `sections` are their `webrtc`, or one for both."""
    everything = {
        "supabase": {"url": hub, "anon_key": KEY},
        "hub": {"mode": "off"},
        "light": {"discover": "off"},
        "audio": {"input": "none", "output": "none"},
    }
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "musician.yaml"
    config.write_text(yaml.safe_dump({**everything, "webrtc": dict(sections[-1])}))
    player = Player(home, hub, config, env or {})
    with open_daemon(box, directory / "box", ROOM, {**everything, "webrtc": dict(sections[0])}, env) as daemon:
        daemon.await_status(lambda status: status["room"]["connection"] == "connected", "the room is joined")
        player.start()
        try:
            yield Band(daemon, player)
        finally:
            player.kill()


def _answers(host: Host) -> bool:
    try:
        host.connect(HUB_PORT).close()
    except OSError:
        return False
    return True


def _paths(status: Status) -> list[str]:
    return [peer["path"] for peer in status["audio"]["peers"]]
