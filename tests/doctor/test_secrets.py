"""A daemon that was given every kind of secret, and looked at from everywhere: none of them comes out."""

import asyncio
import base64
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from tests.doctor.test_supabase import a_project
from tests.fakes.ports import free_port, free_ports
from tests.store.postgrest.cluster import ANON_KEY, PostgrestServer

PATIENCE_S = 60.0
TURN_SECRET = "what only the server/and the boxes know+1"
CREDENTIAL = "open-sesame-for-the-band"
TOKEN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SECRETS = (ANON_KEY, ANON_KEY.rpartition(".")[2], TURN_SECRET, CREDENTIAL, TOKEN)
ROOM = "SCRT42"
PATHS = (
    *("/", "/status", "/healthz", "/readyz", "/metrics", "/openapi.json", "/events", "/manifest.json"),
    *("/api/state", "/api/audio", "/api/light", "/api/stats", "/api/sessions", "/api/openapi.json", "/nothing"),
)
HUB_PATHS = ("/", "/healthz", "/authority.crt", f"/jam/{ROOM}", "/status", "/rest/v1/sessions", "/nothing")
_MOST_BYTES = 1 << 20


def found_in(text: str) -> list[str]:
    """The secrets in it, as they are or as they are written in URLs, JSON and base64."""
    return [secret for secret in SECRETS if any(form in text for form in _forms(secret))]


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield json.dumps(secret)[1:-1]
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


def secret_file(directory: Path, name: str, text: str) -> str:
    file = directory / name
    file.write_text(text)
    file.chmod(0o600)
    return str(file)


@contextmanager
def running(directory: Path, more: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Everything that was said of a daemon with these secrets, by where; the rest is added when it has ended."""
    turn, other = free_ports(2)
    settings: dict[str, Any] = {
        "room": {"code": ROOM},
        "audio": {"input": "none", "output": "none"},
        "midi": {"inputs": "none", "outputs": "none"},
        "light": {"discover": "off"},
        "log": {"level": "debug"},
        "http": {"port": free_port(), "token_file": secret_file(directory, "token", TOKEN)},
        "webrtc": {
            "policy": "relay",
            "ice_servers": [
                {"urls": f"turn:127.0.0.1:{turn}", "secret_file": secret_file(directory, "secret", TURN_SECRET)},
                {"urls": f"turn:127.0.0.1:{other}", "username": "band", "credential": CREDENTIAL},
            ],
        },
        **more,
    }
    config = directory / "config.yaml"
    config.write_text(json.dumps(settings))
    config.chmod(0o600)
    environment = {**os.environ, "JAMBRIDGE_STATE": str(directory / "state")}
    jambridge = [sys.executable, "-m", "jambridge"]
    log = directory / "log"
    said: dict[str, str] = {}
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            [*jambridge, "run", "--config", str(config)], env=environment, stdout=output, stderr=output
        )
        try:
            port = settings["http"]["port"]
            _await(lambda: json.loads(_get(port, "/status"))["room"]["connection"] == "connected", log)
            said |= {f"http {path}": _get(port, path) for path in PATHS}
            if "hub" in more:
                said |= {f"hub {path}": _get(more["hub"]["port"], path) for path in HUB_PATHS}
            said["argv"] = "\n".join(" ".join(one.cmdline()) for one in _family(daemon.pid))
            bundle = directory / "bundle.zip"
            for name in ("status", "config", "check-config", f"doctor --json --bundle {bundle}"):
                done = subprocess.run(
                    [*jambridge, *name.split(), "--config", str(config)],
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
                said[name.partition(" /")[0]] = done.stdout + done.stderr
            with zipfile.ZipFile(bundle) as archive:
                said |= {f"bundle {name}": archive.read(name).decode() for name in archive.namelist()}
            yield said
        finally:
            daemon.terminate()
            try:
                daemon.wait(20)
            finally:
                daemon.kill()
    said["log"] = log.read_text(errors="replace")


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    for secret in SECRETS:
        for form in _forms(secret):
            assert secret in found_in(f"apikey={form}&vsn=1")


@pytest.mark.slow
def test_with_a_supabase_project_no_secret_comes_out(project: PostgrestServer, tmp_path: Path) -> None:
    def live(url: str) -> dict[str, str]:
        section = {"url": url, "anon_key_file": secret_file(tmp_path, "key", ANON_KEY)}
        with running(tmp_path, {"supabase": section}) as said:
            pass
        return said

    async def scenario() -> tuple[dict[str, str], list[str]]:
        async with a_project(project, tmp_path / "project") as gateway:
            said = await asyncio.to_thread(live, gateway.url)
            return said, gateway.requests

    (tmp_path / "project").mkdir()
    said, requests = asyncio.run(scenario())

    assert requests, "the key was used"
    assert "Supabase" in said["doctor --json --bundle"]
    _assert_none_is_told(said)


def test_with_a_hub_no_secret_comes_out(tmp_path: Path) -> None:
    hub = {"mode": "host", "bind": "127.0.0.1", "port": free_port(), "tls_port": free_port(), "advertise": False}
    with running(tmp_path, {"hub": hub}) as said:
        pass

    assert ROOM in said["http /status"], "the room's code is told to who asks here"
    _assert_none_is_told(said)


def _assert_none_is_told(said: Mapping[str, str]) -> None:
    """And that there was something to search in."""
    assert {name: found for name, text in said.items() if (found := found_in(text))} == {}
    for name in ("log", "argv", "status", "config", "http /status", "bundle config.yaml", "bundle findings.txt"):
        assert len(said[name]) > 50, name
    assert "url=turn:" in said["log"], "the servers were tried"
    assert not [name for name, text in said.items() if name.startswith("bundle ") and ROOM in text]


def _get(port: int, path: str) -> str:
    """Headers and the beginning of the body; empty where there is no such thing."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        body = b""
        with contextlib.suppress(socket.timeout):  # events go on
            while path != "/events" and (more := answer.read(_MOST_BYTES)):
                body += more
            body += answer.read1(_MOST_BYTES) if path == "/events" else b""
        headers = "" if path == "/status" else str(answer.headers)
        return headers + body.decode(errors="replace")


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _await(holds: Callable[[], bool], log: Path) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            if holds():
                return
        assert time.monotonic() < deadline_s, log.read_text(errors="replace")[-4000:]
        time.sleep(0.1)
