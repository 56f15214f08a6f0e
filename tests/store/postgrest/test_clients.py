"""Sessions as both unmodified clients create, read, change and delete them, at a project and a hub: each cell named."""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from postgrest import APIError, CountMethod, ReturnMethod
from supabase import AsyncClient, acreate_client

from jambridge.strict_json import JsonObject
from tests.hub.live import live_hub
from tests.store.postgrest.cluster import ANON_KEY, MIGRATIONS, Cluster
from tests.store.postgrest.gateway import open_gateway

CLIENTS = ("supabase-py", "supabase-js")
SERVERS = ("project", "hub")
PATIENCE_S = 60.0
MINIMAL = ReturnMethod.minimal
REVISION = "state->metadata->>revision"
DRIVER = Path(__file__).with_name("sessions.mjs")


def state(tempo: int, revision: int = 1) -> JsonObject:
    return {"music": {"tempo": tempo, "isPlaying": False, "key": "D"}, "metadata": {"revision": revision}}


@dataclass(frozen=True)
class Cell:
    """What comes back; the times are looked at and left out."""

    name: str
    data: Any = None
    count: int | None = None
    code: str | None = None


def row(name: str, tempo: int, revision: int = 1) -> JsonObject:
    return {"id": name, "state": state(tempo, revision)}


def ids(*names: str) -> list[JsonObject]:
    return [{"id": name} for name in names]


EXPECTED = [
    Cell("insert", [row("ABC123", 140)]),
    Cell("insert without looking"),
    Cell("insert several", ids("GHI789", "MUSIC-42")),
    Cell("insert what exists", code="23505"),
    Cell("insert no code", code="23514"),
    Cell("insert yesterday", code="42501"),
    Cell("get one", row("ABC123", 140)),
    Cell("get one of none", code="PGRST116"),
    Cell("get perhaps one"),
    Cell("recent", [{"id": "GHI789", "state": {}}, {"id": "MUSIC-42", "state": {}}, row("DEF456", 90)]),
    Cell("recent, a page", ids("DEF456", "GHI789")),
    Cell("count", count=4),
    Cell("some of them", ids("ABC123", "DEF456")),
    Cell("a part of the state", [{"id": "ABC123", "tempo": 140}]),
    Cell("an unknown column", code="42703"),
    Cell("update", [row("ABC123", 150, 2)]),
    Cell("update the known revision", [row("ABC123", 160, 3)]),
    Cell("update an old revision", []),
    Cell("update none", []),
    Cell("update the beginning", code="42501"),
    Cell("update the code", code="42501"),
    Cell("update to no object", code="23514"),
    Cell("upsert what exists", [row("ABC123", 180, 4)]),
    Cell("upsert what is new", [row("NEW001", 80)]),
    Cell("upsert without looking"),
]
AT_A_PROJECT = [
    Cell("delete", code="42501"),
    Cell("delete without looking", code="42501"),
    Cell(
        "what is left",
        [
            {"id": "ABC123", "tempo": 190},
            {"id": "DEF456", "tempo": 90},
            {"id": "GHI789", "tempo": None},
            {"id": "MUSIC-42", "tempo": None},
            {"id": "NEW001", "tempo": 80},
        ],
    ),
]
AT_A_HUB = [  # it has no owner who could delete
    Cell("delete", ids("GHI789")),
    Cell("delete without looking"),
    Cell(
        "what is left",
        [{"id": "ABC123", "tempo": 190}, {"id": "DEF456", "tempo": 90}, {"id": "NEW001", "tempo": 80}],
    ),
]
CELLS = {server: [*EXPECTED, *last] for server, last in (("project", AT_A_PROJECT), ("hub", AT_A_HUB))}
EVERY = [(client, server, cell) for client in CLIENTS for server in SERVERS for cell in CELLS[server]]


def asked_in_python(client: AsyncClient) -> dict[str, Any]:
    """As `cells` in sessions.mjs; what inserts, changes or deletes without looking returns nothing."""
    one = client.table("sessions")
    return {
        "insert": one.insert(row("ABC123", 140)),
        "insert without looking": one.insert(row("DEF456", 90), returning=MINIMAL),
        "insert several": one.insert([{"id": "GHI789"}, {"id": "MUSIC-42"}]).select("id"),
        "insert what exists": one.insert({"id": "ABC123", "state": {}}),
        "insert no code": one.insert({"id": "no code", "state": {}}),
        "insert yesterday": one.insert({"id": "OLD123", "created_at": "2020-01-01T00:00:00Z"}),
        "get one": one.select("*").eq("id", "ABC123").single(),
        "get one of none": one.select("*").eq("id", "NONE00").single(),
        "get perhaps one": one.select("*").eq("id", "NONE00").maybe_single(),
        "recent": one.select("id,state").order("created_at", desc=True).order("id").limit(3),
        "recent, a page": one.select("id").order("id").range(1, 2),
        "count": one.select("*", count=CountMethod.exact, head=True),
        "some of them": one.select("id").in_("id", ["ABC123", "DEF456", "NONE00"]).order("id"),
        "a part of the state": one.select("id,tempo:state->music->tempo").eq("id", "ABC123"),
        "an unknown column": one.select("name"),
        "update": one.update({"state": state(150, 2)}).eq("id", "ABC123").select("id,state"),
        "update the known revision": one.update({"state": state(160, 3)})
        .eq("id", "ABC123")
        .eq(REVISION, "2")
        .select("id,state"),
        "update an old revision": one.update({"state": state(170, 3)})
        .eq("id", "ABC123")
        .eq(REVISION, "2")
        .select("id"),
        "update none": one.update({"state": {}}).eq("id", "NONE00").select("id"),
        "update the beginning": one.update({"created_at": "2020-01-01T00:00:00Z"}).eq("id", "ABC123"),
        "update the code": one.update({"id": "ZZZ999"}).eq("id", "ABC123"),
        "update to no object": one.update({"state": []}).eq("id", "ABC123"),
        "upsert what exists": one.upsert(row("ABC123", 180, 4)).select("id,state"),
        "upsert what is new": one.upsert(row("NEW001", 80)).select("id,state"),
        "upsert without looking": one.upsert(row("ABC123", 190, 5), returning=MINIMAL),
        "delete": one.delete().eq("id", "GHI789").select("id"),
        "delete without looking": one.delete(returning=MINIMAL).eq("id", "MUSIC-42"),
        "what is left": one.select("id,state->music->tempo").order("id"),
    }


async def in_python(url: str) -> list[JsonObject]:
    client = await acreate_client(url, ANON_KEY)
    return [{"cell": name, **await answered(query)} for name, query in asked_in_python(client).items()]


async def answered(query: Any) -> JsonObject:
    """The Python client gives an empty list where the JavaScript one gives null."""
    try:
        answer = await query.execute()
    except APIError as exc:
        return {"data": None, "count": None, "code": exc.code}
    if answer is None:
        return {"data": None, "count": None, "code": None}
    silent = answer.data == [] and "return=minimal" in str(query.request.headers.get("Prefer"))
    headed = query.request.http_method == "HEAD"
    return {"data": None if silent or headed else answer.data, "count": answer.count, "code": None}


async def in_javascript(url: str) -> list[JsonObject]:
    command = ["node", str(DRIVER), url, ANON_KEY]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    return [json.loads(line) for line in said.splitlines()]


def untimed(value: Any) -> Any:
    """Without `created_at`, which must be a time with its zone."""
    if isinstance(value, list):
        return [untimed(entry) for entry in value]
    if isinstance(value, dict) and "created_at" in value:
        assert datetime.fromisoformat(value["created_at"]).tzinfo is not None
        return {name: entry for name, entry in value.items() if name != "created_at"}
    return value


ASKED = {"supabase-py": in_python, "supabase-js": in_javascript}
Answers = dict[tuple[str, str], dict[str, Cell]]


@pytest.fixture(scope="module")
def answers(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    async def collected(client: str, url: str) -> dict[str, Cell]:
        said = await ASKED[client](url)
        return {one["cell"]: Cell(one["cell"], untimed(one["data"]), one["count"], one["code"]) for one in said}

    async def collect() -> Answers:
        found: Answers = {}
        for client in CLIENTS:
            with cluster.project(*MIGRATIONS) as rest:
                async with open_gateway(rest.url) as gateway:
                    found[client, "project"] = await collected(client, gateway.url)
            async with live_hub(tmp_path_factory.mktemp("hub")) as hub:
                found[client, "hub"] = await collected(client, f"http://127.0.0.1:{hub.port}")
        return found

    return asyncio.run(collect())


@pytest.mark.parametrize(
    ("client", "server", "cell"), [pytest.param(*one, id=f"{one[0]}-{one[1]}-{one[2].name}") for one in EVERY]
)
def test_a_client_and_a_server_understand_each_other(client: str, server: str, cell: Cell, answers: Answers) -> None:
    assert answers[client, server][cell.name] == cell
