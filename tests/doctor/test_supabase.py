"""The doctor with healthy patients, and with each illness it knows; every one a real server."""

import asyncio
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from jambridge.doctor import finding, supabase
from jambridge.doctor.finding import Finding, Verdict
from jambridge.doctor.project_url import judge
from jambridge.strict_json import JsonObject, loads_object
from tests.fakes.ports import free_port
from tests.hub.live import live_hub
from tests.store.postgrest.cluster import ANON_KEY, MIGRATIONS, SERVICE_KEY, Cluster, PostgrestServer, jwt
from tests.store.postgrest.gateway import PUBLISHABLE_KEY, Gateway, open_gateway

EVERYTHING = [
    *[
        "address",
        "key",
        "connection",
        "rest",
        "clock",
        "table",
        "insert",
        "update",
        "upsert",
        "beginning",
        "backdating",
    ],
    *["form", "size", "deletion", "index", "tidying", "realtime", "join", "broadcast", "presence", "private"],
]
RULES = MIGRATIONS[1].name
LONGEST_S = 90.0


@asynccontextmanager
async def a_project(rest: PostgrestServer, directory: Path) -> AsyncIterator[Gateway]:
    """As Supabase: its database, its Realtime, and one address for both."""
    async with live_hub(directory) as hub, open_gateway(rest.url, f"http://127.0.0.1:{hub.port}") as gateway:
        gateway.only_private_rooms = True
        yield gateway


def run(scenario: Coroutine[Any, Any, list[Finding]]) -> dict[str, Finding]:
    async def bounded() -> list[Finding]:
        async with asyncio.timeout(LONGEST_S):
            return await scenario

    return {found.check: found for found in asyncio.run(bounded())}


def examined(rest: PostgrestServer, directory: Path, key: str = ANON_KEY) -> dict[str, Finding]:
    async def scenario() -> list[Finding]:
        async with a_project(rest, directory) as gateway:
            return await supabase.check(gateway.url, key)

    return run(scenario())


def judged(found: dict[str, Finding], *verdicts: Verdict) -> set[str]:
    return {check for check, one in found.items() if one.verdict in verdicts}


def ill(found: dict[str, Finding]) -> set[str]:
    return judged(found, Verdict.WARNING, Verdict.FAILURE)


@asynccontextmanager
async def raw_server(answer: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """Something that accepts connections, and then does that."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.mark.parametrize("key", [ANON_KEY, PUBLISHABLE_KEY], ids=["anon", "publishable"])
def test_a_project_with_the_shipped_sql_is_well(project: PostgrestServer, tmp_path: Path, key: str) -> None:
    found = examined(project, tmp_path, key)

    assert list(found) == EVERYTHING
    assert ill(found) == set()
    assert judged(found, Verdict.NOTE) == {"index", "tidying"}
    (left,) = project.sql("SELECT id FROM sessions")
    assert left in found["tidying"].reason
    assert all(one.seconds is not None for check, one in found.items() if check in {"connection", "rest", "join"})


def test_a_hub_in_its_place_is_well_and_nothing_is_left_behind(tmp_path: Path) -> None:
    async def scenario() -> list[Finding]:
        async with live_hub(tmp_path) as hub:
            first = await supabase.check(f"http://127.0.0.1:{hub.port}/", "any")
            second = await supabase.check(f"http://127.0.0.1:{hub.port}", ANON_KEY)
            assert [one.verdict for one in first] == [one.verdict for one in second]
            return second

    found = run(scenario())

    assert list(found) == EVERYTHING
    assert ill(found) == set()
    assert found["tidying"].reason == "nothing is left behind"
    assert "which takes any" in found["key"].reason


def test_a_project_without_the_table(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.project() as empty:
        found = examined(empty, tmp_path)

    assert ill(found) == {"table"}
    assert found["table"].reason == "there is no table `sessions`"
    assert MIGRATIONS[0].name in found["table"].remedy
    assert found["presence"].verdict is Verdict.GOOD


def test_a_project_without_row_level_security(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.project(MIGRATIONS[0]) as open_to_all:
        found = examined(open_to_all, tmp_path)
        left = open_to_all.sql("SELECT id FROM sessions")

    assert judged(found, Verdict.FAILURE) == {"beginning", "backdating", "deletion"}
    assert judged(found, Verdict.WARNING) == {"form", "size"}
    assert all(RULES in found[check].remedy for check in ill(found))
    assert left == []


def test_a_project_with_row_level_security_and_no_policies(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.project(MIGRATIONS[0]) as closed:
        closed.sql("ALTER TABLE sessions ENABLE ROW LEVEL SECURITY")
        found = examined(closed, tmp_path)

    assert ill(found) == {"insert"}
    assert RULES in found["insert"].remedy


def test_a_project_that_may_not_upsert(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.project(*MIGRATIONS) as strict:
        strict.sql("REVOKE UPDATE ON sessions FROM anon; GRANT UPDATE (state) ON sessions TO anon")
        found = examined(strict, tmp_path)

    assert ill(found) == {"upsert"}


def test_a_blocked_deletion_that_says_it_succeeded_is_a_blocked_deletion(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.project(*MIGRATIONS) as polite:
        polite.sql("GRANT DELETE ON sessions TO anon")
        found = examined(polite, tmp_path)

    assert ill(found) == set()


def test_a_policy_of_ones_own_that_lets_everybody_delete(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.project(*MIGRATIONS) as opened:
        opened.sql("GRANT DELETE ON sessions TO anon; CREATE POLICY p ON sessions FOR ALL TO anon USING (true)")
        found = examined(opened, tmp_path)

    assert ill(found) == {"deletion", "backdating"}


@pytest.mark.parametrize(
    ("columns", "check", "reason"),
    [
        ("id text primary key, state jsonb", "table", "other columns"),
        ("id text primary key, created_at timestamptz default now(), state text", "insert", "no jsonb"),
        ("id text primary key, created_at timestamp default now(), state jsonb", "insert", "no time zone"),
        ("id text primary key, created_at text default 'yesterday', state jsonb", "insert", "no time: yesterday"),
        ("id text primary key, created_at timestamptz, state jsonb", "insert", "no time: None"),
        ("id text primary key, created_at timestamptz default '2020-01-01', state jsonb", "insert", "not the present"),
        ("id integer primary key, created_at timestamptz default now(), state jsonb", "insert", "cannot be inserted"),
    ],
)
def test_another_table_of_that_name(cluster: Cluster, tmp_path: Path, columns: str, check: str, reason: str) -> None:
    with cluster.project(sql=f"CREATE TABLE sessions ({columns})") as other:
        found = examined(other, tmp_path)

    assert ill(found) == {check}
    assert reason in found[check].reason


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (SERVICE_KEY, "this is the service_role key"),
        ("sb_secret_0123456789", "this is the project's secret key"),
        (f'"{ANON_KEY}"', "there are quotation marks"),
        (jwt("anon", exp=1700000001), "this key has expired"),
    ],
    ids=["service_role", "secret", "quoted", "expired"],
)
def test_a_key_that_must_not_be_used_is_not_sent(
    project: PostgrestServer, tmp_path: Path, key: str, reason: str
) -> None:
    async def scenario() -> list[Finding]:
        async with a_project(project, tmp_path) as gateway:
            found = await supabase.check(gateway.url, key)
            assert gateway.requests == []
            return found

    found = run(scenario())

    assert list(found) == ["address", "key"]
    assert reason in found["key"].reason
    assert found["key"].remedy


def test_a_key_of_no_known_kind_is_not_sent_to_a_project_either(project: PostgrestServer, tmp_path: Path) -> None:
    found = examined(project, tmp_path, "my-database-password")

    assert list(found) == ["address", "key", "connection"]
    assert found["key"].reason == "this is no key of a Supabase project"


def test_the_key_of_another_project(project: PostgrestServer, tmp_path: Path) -> None:
    found = examined(project, tmp_path, jwt("anon", ref="another"))  # well-formed, and not this gateway's

    assert ill(found) == {"rest", "realtime"}
    assert "does not accept the key" in found["rest"].reason


def test_a_key_names_its_project() -> None:
    _, target = judge("https://abcdefgh.supabase.co")
    assert target is not None

    other = supabase.judge_key(jwt("anon", ref="zyxwvuts"), target, time.time())
    own = supabase.judge_key(jwt("anon", ref="abcdefgh"), target, time.time())

    assert (other.verdict, other.reason) == (Verdict.FAILURE, "this is the key of another project, zyxwvuts")
    assert own.verdict is Verdict.GOOD


def test_a_paused_project(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.project(*MIGRATIONS) as away:
        away.stop()
        found = examined(away, tmp_path)

    assert ill(found) == {"rest"}
    assert "the project's database is away: HTTP 502" in found["rest"].reason
    assert found["broadcast"].verdict is Verdict.GOOD


def test_a_project_whose_realtime_is_off(project: PostgrestServer) -> None:
    async def scenario() -> list[Finding]:
        async with open_gateway(project.url) as gateway:
            return await supabase.check(gateway.url, ANON_KEY)

    found = run(scenario())

    assert ill(found) == {"realtime"}
    assert "switch Realtime on" in found["realtime"].remedy


def test_private_channels_open_to_everything(project: PostgrestServer, tmp_path: Path) -> None:
    async def scenario() -> list[Finding]:
        async with a_project(project, tmp_path) as gateway:
            gateway.only_private_rooms = False
            return await supabase.check(gateway.url, ANON_KEY)

    assert ill(run(scenario())) == {"private"}


@pytest.mark.slow
def test_a_black_hole(tmp_path: Path) -> None:
    async def never(_writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(LONGEST_S)

    async def scenario() -> list[Finding]:
        async with raw_server(never) as url:
            return await supabase.check(url, ANON_KEY)

    found = run(scenario())

    assert ill(found) == {"rest", "realtime"}
    assert found["rest"].reason == "no answer in time"


@pytest.mark.parametrize("host", ["nobody.invalid", "127.0.0.1", "[::ffff:127.0.0.1]", "a" * 70 + ".local"])
def test_nobody_there(host: str) -> None:
    async def scenario() -> list[Finding]:
        return await supabase.check(f"http://{host}:{free_port()}", ANON_KEY)

    found = run(scenario())

    assert list(found) == ["address", "key", "connection"]
    assert ill(found) >= {"connection"}


def test_a_certificate_that_is_not_valid(tmp_path: Path) -> None:
    async def scenario() -> list[Finding]:
        async with live_hub(tmp_path) as hub:
            return await supabase.check(f"https://localhost:{hub.tls_port}", ANON_KEY)

    found = run(scenario())

    assert ill(found) == {"connection"}
    assert "its certificate is not valid" in found["connection"].reason


_AS_A_PROGRAM = """
import asyncio, json, sys
from jambridge.doctor import finding, supabase
print(json.dumps(finding.as_json(asyncio.run(supabase.check(sys.argv[1], "any")))))
"""


def test_over_tls_with_a_certificate_that_is_valid(tmp_path: Path) -> None:
    """In a process of its own: what it trusts is read at its start."""

    async def scenario() -> JsonObject:
        async with live_hub(tmp_path) as hub, aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{hub.port}/authority.crt") as answer:
                (tmp_path / "authority.crt").write_text(ssl.DER_cert_to_PEM_cert(await answer.read()))
            environment = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "authority.crt")}
            command = [sys.executable, "-c", _AS_A_PROGRAM, f"https://localhost:{hub.tls_port}"]
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
            async with asyncio.timeout(LONGEST_S):
                said, _ = await process.communicate()
            return loads_object(said, 100_000)

    found = asyncio.run(scenario())

    assert found["ok"] is True
    reasons = {one["check"]: one["reason"] for one in found["findings"]}
    assert list(reasons) == EVERYTHING
    assert reasons["connection"] == "localhost answers, TLSv1.3"


def test_some_other_web_server() -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html>It works!</html>", content_type="text/html")

    async def scenario() -> list[Finding]:
        application = web.Application()
        application.router.add_get("/{path:.*}", page)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return await supabase.check(f"http://127.0.0.1:{runner.addresses[0][1]}", ANON_KEY)
        finally:
            await runner.cleanup()

    found = run(scenario())

    assert ill(found) == {"rest", "realtime"}
    assert "neither a Supabase project nor a hub" in found["rest"].reason


ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nDate: yesterday\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
]
BODIES = [b"", b"[]", b"{}", b"[null]", b'{"code": 42}', b'{"hub_id": "\x1b[2J"}', b"[" * 100, b'[{"id": {}}]']


@given(st.binary() | st.tuples(st.sampled_from(ANSWERS), st.sampled_from(BODIES) | st.binary()).map(b"".join))
def test_whatever_answers_there_the_doctor_has_a_finding(said: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(said)

    async def scenario() -> list[Finding]:
        async with raw_server(answer) as url:
            return await supabase.check(url, ANON_KEY)

    found = run(scenario())

    assert ill(found)
    assert finding.as_text([*found.values()]).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("skew_s", "verdict", "reason"),
    [
        (0.4, Verdict.GOOD, "agree within 1 s"),
        (-20.0, Verdict.GOOD, "agree within 20 s"),
        (90.0, Verdict.WARNING, "90 s ahead of"),
        (-86400.0, Verdict.WARNING, "86400 s behind"),
        (None, Verdict.NOTE, "does not say"),
    ],
)
def test_the_clock_is_compared(skew_s: float | None, verdict: Verdict, reason: str) -> None:
    found = supabase.judge_clock(skew_s)

    assert found.verdict is verdict
    assert reason in found.reason
