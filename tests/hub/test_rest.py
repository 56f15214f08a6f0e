"""`/rest/v1/sessions`: the same answers as a real PostgREST with the shipped SQL, and what only the hub does."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from jambridge.hub import rest, rest_query, rest_sql
from jambridge.hub.rest_query import RefusedError
from jambridge.hub.server import HubServer
from jambridge.store import schema
from tests.hub.live import Member, live_hub
from tests.store.postgrest.cluster import ANON_KEY, MIGRATIONS, open_cluster

PATIENCE_S = 20.0
SONG = {"music": {"tempo": 120.5, "isPlaying": True, "key": "C"}, "metadata": {"revision": 3}, "list": [1, {"a": 2}]}
ONE = {"Accept": "application/vnd.pgrst.object+json"}
SHOWN, COUNTED = {"Prefer": "return=representation"}, {"Prefer": "count=exact"}
MERGED, IGNORED = {"Prefer": "resolution=merge-duplicates"}, {"Prefer": "resolution=ignore-duplicates"}
MERGED_SHOWN = {"Prefer": "resolution=merge-duplicates,return=representation"}


@dataclass(frozen=True)
class Asked:
    """One request, after ABC123, DEF456 and MUSIC-42 were stored."""

    name: str
    method: str
    query: str = ""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    loosely: bool = False
    """Only status and code are alike: the sentences are Haskell's."""


CELLS = [
    Asked("create", "POST", "", {"id": "NEW001", "state": SONG}),
    Asked("create and see", "POST", "", {"id": "NEW001", "state": {}}, SHOWN),
    Asked("create and see one column", "POST", "?select=id", {"id": "NEW001"}, {**SHOWN, **ONE}),
    Asked("create two", "POST", "", [{"id": "NEW001"}, {"id": "NEW002"}], SHOWN),
    Asked("create with named columns", "POST", '?columns="id","state"', [{"id": "NEW001", "state": {}}]),
    Asked("create none", "POST", "", [], SHOWN),
    Asked("create what exists", "POST", "", {"id": "ABC123"}),
    Asked("create one twice", "POST", "", [{"id": "NEW001"}, {"id": "NEW001"}]),
    Asked("create unlike rows", "POST", "", [{"id": "NEW001", "state": {}}, {"id": "NEW002"}]),
    Asked("create an unknown column", "POST", "", {"id": "NEW001", "foo": 1}),
    Asked("create without an id", "POST", "", {"state": {}}),
    Asked("create a null id", "POST", "", {"id": None}),
    Asked("create no room code", "POST", "", {"id": "nope"}),
    Asked("create a list as state", "POST", "", {"id": "NEW001", "state": []}),
    Asked("create a null as state", "POST", "", {"id": "NEW001", "state": None}),
    Asked("create a large state", "POST", "", {"id": "NEW001", "state": {"x": "y" * 100_000}}),
    Asked("create yesterday", "POST", "", {"id": "NEW001", "created_at": "2020-01-01"}),
    Asked("create at no time", "POST", "", {"id": "NEW001", "created_at": "x"}),
    Asked("create no JSON", "POST", "", b"{", {"Content-Type": "application/json"}, loosely=True),
    Asked("read all", "GET", "?select=id,state&order=id"),
    Asked("read none", "GET", "?id=eq.NOPE00"),
    Asked("read one", "GET", "?id=eq.ABC123&select=id", None, ONE),
    Asked("read one of none", "GET", "?id=eq.NOPE00&select=id", None, ONE),
    Asked("read one of many", "GET", "?select=id", None, ONE),
    Asked("read paths", "GET", "?select=id,state->music->>tempo,t:state->music->tempo,state->list->1->a&id=eq.ABC123"),
    Asked("read a path as text", "GET", "?select=state->music->>isPlaying,state->>list&id=eq.MUSIC-42"),
    Asked("read a path to nowhere", "GET", "?select=state->x->y,id&id=eq.ABC123"),
    Asked("list newest first", "GET", "?select=id&order=created_at.desc,id&limit=10"),
    Asked("list and count", "GET", "?select=id&order=id.desc&limit=2", None, COUNTED),
    Asked("list a page", "GET", "?select=id&order=id&limit=2&offset=1", None, COUNTED),
    Asked("list beyond the end", "GET", "?select=id&order=id&offset=9"),
    Asked("count beyond the end", "GET", "?select=id&order=id&offset=9", None, COUNTED),
    Asked("count only", "HEAD", "?select=id", None, COUNTED),
    Asked("list a page of nothing", "GET", "?limit=0", None, COUNTED),
    Asked("list a page of less than nothing", "GET", "?limit=-1"),
    Asked("list no page", "GET", "?limit=x&select=id&order=id"),
    Asked("order by a path", "GET", "?select=id&order=state->metadata->>revision.desc.nullslast,id"),
    Asked("filter neq", "GET", "?id=neq.ABC123&select=id&order=id"),
    Asked("filter not eq", "GET", "?id=not.eq.ABC123&select=id&order=id"),
    Asked("filter in", "GET", '?id=in.(ABC123,"DEF456")&select=id&order=id'),
    Asked("filter in none", "GET", "?id=in.()&select=id"),
    Asked("filter gt and lte", "GET", "?id=gt.ABC123&id=lte.DEF456&select=id"),
    Asked("filter like", "GET", "?id=like.*2*&select=id&order=id"),
    Asked("filter like with the wrong case", "GET", "?id=like.music*&select=id"),
    Asked("filter ilike", "GET", "?id=ilike.music%25&select=id"),
    Asked("filter is null", "GET", "?state->metadata->>revision=is.null&select=id&order=id"),
    Asked("filter by a path's text", "GET", "?state->metadata->>revision=eq.3&select=id"),
    Asked("filter by a path's number", "GET", "?state->metadata->revision=gte.3&select=id&order=id"),
    Asked("filter by a path's truth", "GET", "?state->music->isPlaying=eq.true&select=id"),
    Asked("filter by a path's truth as text", "GET", "?state->music->>isPlaying=eq.true&select=id"),
    Asked("filter by time", "GET", "?created_at=gt.2020-01-01T00:00:00Z&select=id&order=id"),
    Asked("filter by no time", "GET", "?created_at=gt.nonsense"),
    Asked("filter an unknown column", "GET", "?foo=eq.1"),
    Asked("filter an unknown operator", "GET", "?id=foo.1", loosely=True),
    Asked("filter without an operator", "GET", "?id=ABC123", loosely=True),
    Asked("filter is nonsense", "GET", "?id=is.foo", loosely=True),
    Asked("select an unknown column", "GET", "?select=foo"),
    Asked("select another table", "GET", "?select=foo(*)"),
    Asked("order by an unknown column", "GET", "?order=foo"),
    Asked("accept XML", "GET", "", None, {"Accept": "application/xml"}),
    Asked("update", "PATCH", "?id=eq.ABC123", {"state": {"metadata": {"revision": 4}}}),
    Asked("update and see", "PATCH", "?id=eq.ABC123", {"state": {"a": 1}}, SHOWN),
    Asked("update by revision", "PATCH", "?id=eq.ABC123&state->metadata->>revision=eq.3", {"state": {"a": 1}}, SHOWN),
    Asked("update by an old revision", "PATCH", "?id=eq.ABC123&state->metadata->>revision=eq.2", {"state": {}}, SHOWN),
    Asked(
        "update and count",
        "PATCH",
        "?id=eq.ABC123&select=id",
        {"state": {}},
        {"Prefer": "return=representation,count=exact"},
    ),
    Asked("update none", "PATCH", "?id=eq.NOPE00", {"state": {}}, SHOWN),
    Asked("update one of none", "PATCH", "?id=eq.NOPE00", {"state": {}}, {**SHOWN, **ONE}),
    Asked("update nothing", "PATCH", "?id=eq.ABC123", {}, SHOWN),
    Asked("update an unknown column", "PATCH", "?id=eq.ABC123", {"foo": 1}),
    Asked("update the code", "PATCH", "?id=eq.ABC123", {"id": "ZZZ999"}),
    Asked("update the time", "PATCH", "?id=eq.ABC123", {"created_at": "2020-01-01"}),
    Asked("update to a number", "PATCH", "?id=eq.ABC123", {"state": 3}),
    Asked("upsert what exists", "POST", "?on_conflict=id", {"id": "ABC123", "state": {"a": 1}}, MERGED_SHOWN),
    Asked("upsert what is new", "POST", "", {"id": "NEW001", "state": {"a": 1}}, MERGED_SHOWN),
    Asked("upsert both", "POST", "", [{"id": "ABC123", "state": {}}, {"id": "NEW001", "state": {}}], MERGED),
    Asked("upsert one twice", "POST", "", [{"id": "ABC123", "state": {}}, {"id": "ABC123", "state": {}}], MERGED),
    Asked("upsert only the id", "POST", "", {"id": "ABC123"}, MERGED_SHOWN),
    Asked("upsert the time", "POST", "", {"id": "ABC123", "created_at": "2020-01-01"}, MERGED),
    Asked(
        "ignore what exists",
        "POST",
        "",
        [{"id": "ABC123"}],
        {"Prefer": "resolution=ignore-duplicates,return=representation"},
    ),
    Asked("ignore quietly", "POST", "", [{"id": "ABC123"}, {"id": "NEW001"}], IGNORED),
]

STORED = [
    {"id": "ABC123", "state": SONG},
    {"id": "DEF456", "state": {"metadata": {"revision": 10}}},
    {"id": "MUSIC-42", "state": {"music": {"isPlaying": False}, "list": []}},
]
Answer = tuple[int, str | None, Any, str | None]


async def ask(session: aiohttp.ClientSession, url: str, asked: Asked) -> Answer:
    headers = {"apikey": ANON_KEY, "Authorization": f"Bearer {ANON_KEY}", "X-Real": asked.name, **asked.headers}
    data = asked.body if isinstance(asked.body, bytes) else None
    body = None if data is not None else asked.body
    address = URL(url + quote(asked.query, safe="?&=.,()*:%"), encoded=True)
    async with session.request(asked.method, address, json=body, data=data, headers=headers) as answer:
        text = await answer.text()
        kind = answer.headers.get("Content-Type") if text else None
        return answer.status, answer.headers.get("Content-Range"), untimed(json.loads(text)) if text else None, kind


def untimed(value: Any) -> Any:
    if isinstance(value, list):
        return [untimed(entry) for entry in value]
    return {name: entry for name, entry in value.items() if name != "created_at"}


async def both(directory: Path) -> AsyncIterator[tuple[str, Answer, Answer]]:
    with open_cluster() as cluster, cluster.project(*MIGRATIONS) as project:
        for number, asked in enumerate(CELLS):  # a hub each: it counts how often it is asked
            project.sql("DELETE FROM public.sessions")
            async with live_hub(directory / str(number)) as hub, aiohttp.ClientSession() as session:
                ours = f"http://127.0.0.1:{hub.port}/rest/v1/sessions"
                theirs = f"{project.url}/sessions"
                for row in STORED:
                    for url in (ours, theirs):
                        assert (await ask(session, url, Asked("", "POST", "", row)))[0] == 201
                yield asked.name, await ask(session, theirs, asked), await ask(session, ours, asked)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Answer, Answer]]:
    async def collect() -> dict[str, tuple[Answer, Answer]]:
        return {name: (real, ours) async for name, real, ours in both(tmp_path_factory.mktemp("hubs"))}

    return asyncio.run(collect())


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_it_answers_as_postgrest_does(cell: Asked, answers: dict[str, tuple[Answer, Answer]]) -> None:
    real, ours = answers[cell.name]

    if cell.loosely:
        assert (ours[0], ours[2]["code"]) == (real[0], real[2]["code"])
    else:
        assert ours == real


@asynccontextmanager
async def asking(directory: Path) -> AsyncIterator[tuple[HubServer, aiohttp.ClientSession, str]]:
    async with live_hub(directory) as hub, aiohttp.ClientSession() as session, asyncio.timeout(3 * PATIENCE_S):
        yield hub, session, f"http://127.0.0.1:{hub.port}/rest/v1/sessions"


def test_what_is_named_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(tmp_path) as (_, session, url):
            await ask(session, url, Asked("", "POST", "", STORED[0]))
            for query in ("", "?id=neq.NOPE00", "?created_at=gt.2020-01-01", "?id=not.in.(NOPE00)", "?id=like.*"):
                for method in ("DELETE", "PATCH"):
                    status, _, said, _ = await ask(session, url, Asked("", method, query, {"state": {}}))
                    assert (status, said["code"]) == (400, "21000")
            seen = await ask(session, url, Asked("", "DELETE", "?id=in.(ABC123,NOPE00)", None, SHOWN))
            assert (seen[0], seen[1], [row["id"] for row in seen[2]]) == (200, "*/*", ["ABC123"])
            assert (await ask(session, url, Asked("", "DELETE", "?id=eq.ABC123")))[0] == 204
            assert (await ask(session, url, Asked("", "GET", "")))[2] == []

    asyncio.run(scenario())


def test_a_row_that_cannot_be_read_hides_no_others(tmp_path: Path) -> None:
    with closing(schema.open_database(tmp_path / "sessions.sqlite")) as database:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        for id_, state in (("BROKEN", "{"), ("ABC123", '{"invalid": true}')):
            database.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (id_, now, now, state))

    async def scenario() -> None:
        async with asking(tmp_path) as (_, session, url):
            for query in ("?order=id", "?select=state&order=id", "?select=x:state->invalid,id&order=id"):
                assert (await ask(session, url, Asked("", "GET", query)))[0] == 200
            found = await ask(session, url, Asked("", "GET", "?state->>invalid=eq.true&select=id"))
            assert found[2] == [{"id": "ABC123"}]

    asyncio.run(scenario())


def test_slow_questions_keep_only_who_asks_them_waiting(tmp_path: Path) -> None:
    with closing(schema.open_database(tmp_path / "sessions.sqlite")) as database:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        state = json.dumps({"x": [{"a": 1}] * 6000})
        database.execute("BEGIN")
        for number in range(200):
            database.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (f"AA{number:04d}", now, now, state))
        database.execute("COMMIT")
    values = ",".join(map(str, range(100)))
    slow = "?select=id&" + "&".join(f"state->x->{place}->>a=not.in.({values})" for place in range(200, 206))

    async def scenario() -> None:
        async with asking(tmp_path) as (_, session, url):
            elsewhere = aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))
            async with aiohttp.ClientSession(connector=elsewhere, headers={"apikey": "k"}) as other:
                asked = [asyncio.create_task(ask(other, url, Asked("", "GET", slow))) for _ in range(20)]
                await next(asyncio.as_completed(asked))
                for _ in range(3):
                    assert (await ask(session, url, Asked("", "GET", "?id=eq.AA0001&select=id")))[0] == 200
                assert {answer[0] for answer in await asyncio.gather(*asked)} <= {200, 503}

    asyncio.run(scenario())


def test_a_locked_database_is_said_and_passes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(tmp_path) as (_, session, url):
            assert (await ask(session, url, Asked("", "POST", "", STORED[0])))[0] == 201
            with closing(sqlite3.connect(tmp_path / "sessions.sqlite", isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                status, _, said, _ = await ask(session, url, Asked("", "POST", "", STORED[1]))
                assert status == 503
                assert "locked" in said["message"]
                other.execute("ROLLBACK")
            assert (await ask(session, url, Asked("", "POST", "", STORED[1])))[0] == 201

    asyncio.run(scenario())


def test_no_answer_is_many_times_what_is_stored(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(tmp_path) as (_, session, url):
            rows = [{"id": f"LONG{n:02d}", "state": {"x": "y" * 60_000}} for n in range(20)]
            for n in range(0, len(rows), 4):
                assert (await ask(session, url, Asked("", "POST", "", rows[n : n + 4])))[0] == 201
            many_times = ",".join(f"a{n}:state" for n in range(16))
            paths = ",".join(f"a{n}:state->x" for n in range(16))
            for query in (f"?select={many_times}&limit=2", f"?select={paths}&limit=2", "?select=state"):
                status, _, said, _ = await ask(session, url, Asked("", "GET", query))
                assert (status, said["code"]) == (413, "54000")
            assert (await ask(session, url, Asked("", "GET", f"?select={'a' * 65}:id")))[0] == 400
            found = await ask(session, url, Asked("", "GET", "?select=id,created_at"))
            assert (found[0], len(found[2])) == (200, 20)
            assert (await ask(session, url, Asked("", "GET", "?select=state&limit=10")))[0] == 200

    asyncio.run(scenario())


def test_who_asks_too_often_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(tmp_path) as (_, session, url):
            statuses: set[int] = set()
            while 429 not in statuses:
                answers = await asyncio.gather(*(ask(session, url, Asked("", "GET", "?limit=1")) for _ in range(10)))
                statuses |= {status for status, *_ in answers}
            assert statuses == {200, 429}

    asyncio.run(scenario())


def test_requests_that_never_end_do_not_keep_the_rooms_waiting(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(tmp_path) as (hub, _, _):
            head = "POST /rest/v1/sessions HTTP/1.1\r\nHost: 127.0.0.1\r\napikey: k\r\nContent-Length: 100\r\n\r\n{"
            writers = []
            for _ in range(16):
                _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
                writer.write(head.encode())
                writers.append(writer)
            async with Member.joined(hub, "a") as one, Member.joined(hub, "b") as other:
                await one.broadcast("hello", n=1)
                assert await other.heard("hello") == {"n": 1}
            for writer in writers:
                writer.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("origin", ["http://localhost:5173", "https://jam-dev.audiolux.app"])
def test_the_apps_own_pages_may_ask_and_foreign_ones_not(tmp_path: Path, origin: str) -> None:
    async def scenario() -> None:
        async with asking(tmp_path) as (_, session, url):
            wanted = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            async with session.options(url, headers=wanted) as answer:
                assert answer.status == 204
                assert answer.headers["Access-Control-Allow-Origin"] == origin
                assert "prefer" in answer.headers["Access-Control-Allow-Headers"]
                assert "Access-Control-Allow-Credentials" not in answer.headers
            async with session.get(url, headers={"Origin": origin, "apikey": "k"}) as answer:
                assert answer.status == 200
                assert answer.headers["Access-Control-Allow-Origin"] == origin
                assert answer.headers["Vary"] == "Origin"
            for foreign in ("https://evil.example", "null", f"{origin}.evil.example"):
                for method in ("GET", "OPTIONS", "POST"):
                    async with session.request(method, url, headers={"Origin": foreign, "apikey": "k"}) as answer:
                        assert answer.status == 403
                        assert "Access-Control-Allow-Origin" not in answer.headers
            async with session.get(url, headers={"Host": "rebound.example", "apikey": "k"}) as answer:
                assert answer.status == 421
            async with session.get(url) as answer:
                assert answer.status == 401

    asyncio.run(scenario())


_WORDS = "id state created_at -> ->> a 0 -1 eq in . ( ) , \" ' ;-- % * not is null like ilike gt true 1 ü [ \\ : desc"
FRAGMENTS = st.just("\x00") | st.sampled_from(_WORDS.split())
VALUES = st.lists(FRAGMENTS, max_size=8).map("".join) | st.text(max_size=12)
NAMES = (
    st.sampled_from(["id", "created_at", "state->a", "state->>a", "state->0->>b", "select", "order", "limit"]) | VALUES
)


@given(st.lists(st.tuples(NAMES, VALUES | VALUES.map("eq.{}".format) | VALUES.map("in.({})".format)), max_size=4))
def test_any_query_is_refused_or_runs(pairs: list[tuple[str, str]]) -> None:
    text = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE sessions (id, created_at, state)")
        database.executemany("INSERT INTO sessions VALUES (?, '', ?)", [("A", '{"a": [1]}'), ("B", "{"), ("C", "3")])
        try:
            query = rest_query.parse(text)
            rows = database.execute(*rest_sql.rows(query)).fetchall()
            database.execute(*rest_sql.count(query)).fetchall()
            json.loads(rest.answer(rows, query.outputs, single=False))
        except RefusedError as exc:
            assert 400 <= exc.status < 500
        assert database.execute("SELECT count(*) FROM sessions").fetchone() == (3,)


@given(st.text(max_size=40))
def test_any_text_as_query_is_a_query_or_refused(text: str) -> None:
    try:
        assert rest_query.parse(text).limit <= rest_query.MAX_ROWS
    except RefusedError as exc:
        assert 400 <= exc.status < 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "state", "created_at", "x"]), inner)
    ),
    max_leaves=8,
)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40), st.booleans())
def test_any_body_is_rows_or_refused(body: bytes, merges: bool) -> None:
    try:
        rows = rest.inserted(body, None, datetime.now(UTC), merges=merges)
    except RefusedError as exc:
        rows = []
        assert 400 <= exc.status < 500
    try:
        rows.append(rest.patched(body, None))
    except RefusedError as exc:
        assert 400 <= exc.status < 500
    assert all(row.id is None or rest.is_id(row.id) for row in rows)


@pytest.mark.parametrize("query", ["?" + "a=eq.1&" * 40, "?id=eq." + "x" * 9000, "?id=in.(" + "A," * 200 + ")"])
def test_long_queries_are_refused(query: str) -> None:
    with pytest.raises(RefusedError):
        rest_query.parse(query[1:])
