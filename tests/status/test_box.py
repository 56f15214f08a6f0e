"""The local HTTP of a real daemon: its description is true, and who may not ask is refused."""

import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from jambridge.addresses import default_route
from jambridge.status.access import COOKIE
from tests.fakes.box import PATIENCE_S, Answer, Box, open_box
from tests.fakes.crowd import SIXTEEN, crowd

CONFIG = Path(__file__).parents[2] / "config"
TOKEN = "a-token-for-the-tests-alone"
NEAR = "127.0.0.1"
GUARDED = ("/status", "/events", "/metrics", "/qr.svg", "/api/state", "/api/audio", "/api/light", "/api/sessions")
FIRST_REQUEST_S = 5.0  # who has not asked by then is sent away
CROWDED_S = FIRST_REQUEST_S + 3
PAUSE_S = 0.02


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("box")
    file = folder / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    with open_box(folder, "ABC123", {"HTTP__BIND": "0.0.0.0", "HTTP__TOKEN_FILE": str(file)}) as running:
        yield running


@pytest.fixture(scope="module")
def far(box: Box) -> Iterator[Any]:
    """Asks as another machine does, whom a proxy passes on."""

    def ask(method: str, path: str, body: object = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return box.ask(method, path, body, {"X-Forwarded-For": "192.0.2.7", **named})

    yield ask
    assert TOKEN not in box.said()
    assert "Traceback" not in box.said()


def schema(box: Box, name: str) -> dict[str, Any]:
    description = box.ask("GET", "/openapi.json").json
    return {"$ref": f"#/components/schemas/{name}", "components": description["components"]}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/status", "Status"),
        ("/api/state", "State"),
        ("/api/audio", "Audio"),
        ("/api/light", "Light"),
        ("/api/sessions", "Sessions"),
    ],
)
def test_what_is_answered_is_as_described(box: Box, path: str, name: str) -> None:
    answer = box.ask("GET", path)

    assert answer.status == 200
    jsonschema_rs.validate(schema(box, name), answer.json)


def test_the_lights_are_paused_and_their_mode_is_chosen_as_described(box: Box) -> None:
    wanted = {"paused": True, "mode": "broadcast"}
    jsonschema_rs.validate(schema(box, "LightChange"), wanted)

    answer = box.ask("POST", "/api/light", wanted)

    jsonschema_rs.validate(schema(box, "Light"), answer.json)
    assert answer.json | wanted == answer.json
    light = box.status()["light"]
    assert (light["paused"], light["wanted"], light["mode"]) == (True, "broadcast", "local"), "it is the host itself"
    assert not jsonschema_rs.is_valid(schema(box, "LightChange"), {"mode": "off"})
    assert box.ask("POST", "/api/light", {"mode": "off"}).status == 400
    assert box.ask("POST", "/api/light", {"paused": False, "mode": "auto"}).status == 200


def test_watched_as_json_the_status_is_a_line_a_second(box: Box, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jambridge", "status", "--json", "--watch"]
    environment = os.environ | {"JAMBRIDGE_HTTP__PORT": str(box.port), "JAMBRIDGE_STATE": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout
        first, second = (json.loads(watching.stdout.readline()) for _ in range(2))
        watching.terminate()

    assert first["schema_version"] == second["schema_version"] == 1
    assert second["uptime_s"] > first["uptime_s"]


def test_every_route_is_described_and_every_description_has_its_route(box: Box, far: Any) -> None:
    paths = box.ask("GET", "/openapi.json").json["paths"]

    jsonschema_rs.meta.validate({"components": {}, **schema(box, "Status")})
    changing = {path: ways["post"]["parameters"] for path, ways in paths.items() if "post" in ways}
    assert [path for path, parameters in changing.items() if not parameters] == ["/api/login"]
    for path, methods in paths.items():
        there = path.replace("{name}", "box.js")
        missing = {method.upper() for method in methods} ^ allowed(box, there)
        assert missing in (set(), {"HEAD"}), path
    for path in ("/nothing", "/api", "/api/stat", "/page/nothing.js", "/page/..%2fserver.py", "/page/server.py"):
        assert box.ask("GET", path).status == 404


def allowed(box: Box, path: str) -> set[str]:
    answer = box.ask("DELETE", path, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status == 405, path
    return {method.strip() for method in answer.headers["Allow"].split(",")}


def test_figures_are_given_to_prometheus_and_the_dashboard_knows_them(box: Box) -> None:
    answer = box.ask("GET", "/metrics")

    assert answer.headers["Content-Type"].startswith("text/plain")
    names = {line.split(" ")[2] for line in answer.text.splitlines() if line.startswith("# TYPE ")}
    assert len(names) > 25
    samples = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert len(samples) < 150
    assert 'jambridge_ice_selected_pair_total{type="srflx"} 0.0' in samples
    assert "Box" not in answer.text and "ABC123" not in answer.text
    board = json.loads((CONFIG / "grafana.json").read_text())
    asked = " ".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
    used = {word for word in asked.replace("{", " ").replace("(", " ").split() if word.startswith("jambridge_")}
    quiet = {"jambridge_peer_latency_seconds", "jambridge_peer_loss_ratio"}  # until somebody plays
    assert used - quiet <= names | {f"{name}_total" for name in names}


def test_from_another_machine_all_takes_the_token(box: Box, far: Any) -> None:
    for path in GUARDED:
        assert (far("GET", path).status, box.ask("GET", path).status if path != "/events" else 200) == (401, 200), path
    for path in ("/healthz", "/readyz", "/", "/login", "/page/box.js", "/page/jam.css", "/openapi.json"):
        assert far("GET", path).status == 200, path
    for path in ("/page/../status", "/page/%2e%2e/status", "//status", "/./status", "/STATUS", "/status/"):
        assert far("GET", path).status in (401, 404), path
    refused = far("POST", "/api/state", {"tempo": 61})
    assert (refused.status, refused.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert far("POST", "/api/state", {"tempo": 61}, Authorization=f"Bearer {TOKEN}x").status == 401
    assert far("POST", "/api/state", {"tempo": 62}, Authorization=f"Bearer {TOKEN}").json["tempo"] == 62


def test_the_figures_take_the_token_here_as_well(box: Box) -> None:
    assert box.ask("GET", "/api/stats").status == 401
    answer = box.ask("GET", "/api/stats", headers={"Authorization": f"Bearer {TOKEN}"})
    jsonschema_rs.validate(schema(box, "Stats"), answer.json)


def test_the_token_is_shown_once_for_a_cookie_which_then_stands_for_it(box: Box, far: Any) -> None:
    assert far("POST", "/api/login", {"token": "guessed-wrong-again"}).status == 401
    assert far("POST", "/api/login", {"token": 7}).status == 400

    set_cookie = far("POST", "/api/login", {"token": TOKEN}).headers["Set-Cookie"]

    assert "HttpOnly" in set_cookie and "SameSite=Strict" in set_cookie and TOKEN not in set_cookie
    cookie = set_cookie.partition(";")[0]
    assert cookie.startswith(f"{COOKIE}=")
    assert far("GET", "/status", Cookie=cookie).status == 200
    assert far("GET", "/status", Cookie=f"{cookie}0").status == 401
    assert far("POST", "/api/state", {"tempo": 63}, Cookie=cookie).status == 200
    elsewhere = far("POST", "/api/state", {"tempo": 64}, Cookie=cookie, Origin="http://evil.example")
    assert elsewhere.status == 403  # a page of another port of this very host has the cookie as well


def test_a_name_that_was_rebound_to_us_is_not_ours(box: Box) -> None:
    for path in ("/", "/status", "/healthz", "/api/state", "/page/box.js"):
        assert box.ask("GET", path, headers={"Host": "evil.example"}).status == 421, path
    assert box.ask("POST", "/api/state", {"tempo": 61}, {"Host": f"evil.example:{box.port}"}).status == 421
    own = default_route()
    if own is not None:
        assert box.ask("GET", "/status", host=own).status == 200  # this machine, by its own address


def test_a_body_that_is_too_long_or_compressed_to_be_so_is_refused(box: Box) -> None:
    assert box.ask("POST", "/api/state", b"[" * 70_000).status in (400, 413)
    assert box.ask("POST", "/api/state", b"x" * 17_000).status == 400
    for encoding in ("gzip", "deflate", "br", "nonsense"):
        answer = box.ask("POST", "/api/state", b"no such thing", {"Content-Encoding": encoding})
        assert answer.status == 415, encoding
    assert box.ask("GET", "/status", headers={"X-Long": "x" * 10_000}).status == 400
    assert box.ask("GET", f"/{'x' * 9000}").status == 400
    assert box.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/9.9",
        b"G\x00T / HTTP/1.1",
        b"GET /%ff%fe HTTP/1.1",
        b"GET http://evil.example/ HTTP/1.1",
        b"\x16\x03\x01",
    ],
)
def test_what_is_no_request_of_ours_is_no_fault_of_ours(box: Box, request_line: bytes) -> None:
    with socket.create_connection((NEAR, box.port), PATIENCE_S) as connection:
        connection.sendall(request_line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert not connection.recv(64).startswith(b"HTTP/1.1 5")
    assert box.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    "addresses",
    [SIXTEEN, pytest.param(("127.0.0.9",), marks=pytest.mark.slow)],
    ids=["sixteen addresses", "one address"],
)
def test_a_crowd_that_says_next_to_nothing_keeps_nobody_out(box: Box, addresses: tuple[str, ...]) -> None:
    with crowd(box.port, addresses):
        until_s = time.monotonic() + CROWDED_S
        waits = []
        while time.monotonic() < until_s:
            waits.append(answered_s(box))
            time.sleep(PAUSE_S)
        with ThreadPoolExecutor(4) as several:
            assert list(several.map(lambda _: box.ask("GET", "/status").status, range(32))) == [200] * 32
    print(f"answered within {1000 * statistics.median(waits):.0f} ms (p50), {1000 * max(waits):.0f} (most)")
    assert statistics.median(waits) < 0.5


def test_a_crowd_of_this_very_address_makes_room_before_its_time_to_ask_is_over(box: Box) -> None:
    with crowd(box.port, [NEAR], comes_back=False):
        began = time.monotonic()
        while not is_answered(box):
            time.sleep(PAUSE_S)
        assert time.monotonic() - began < FIRST_REQUEST_S / 2
        assert all(is_answered(box) for _ in range(20))


def is_answered(box: Box) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return box.ask("GET", "/healthz").status == 200
    return False


def answered_s(box: Box) -> float:
    began = time.monotonic()
    assert box.ask("GET", "/status").status == 200
    return time.monotonic() - began


def test_a_body_that_never_ends_does_not_hold_the_others_up(box: Box) -> None:
    head = (
        b"POST /api/state HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    with socket.create_connection((NEAR, box.port), PATIENCE_S) as slow:
        slow.sendall(head)
        assert box.ask("POST", "/api/state", {"tempo": 64}).status == 200
        assert slow.recv(64).startswith(b"HTTP/1.1 408")


def test_the_rooms_link_is_drawn_as_a_code(box: Box) -> None:
    answer = box.ask("GET", "/qr.svg")

    assert answer.headers["Content-Type"].startswith("image/svg+xml")
    assert answer.text.startswith("<svg") and "<script" not in answer.text


def test_a_body_whose_length_is_a_lie_is_refused_without_a_word_in_the_log(box: Box) -> None:
    head = b"POST /api/state HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection((NEAR, box.port), PATIENCE_S) as liar:
        liar.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\nnonsense\r\n")
        assert b" 400 " in liar.recv(64)
    assert "Unhandled" not in box.said()
