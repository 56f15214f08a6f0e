"""Sessions stored by unmodified clients: supabase-js and supabase for Python, in the same words.

Create, read, list, update, upsert and delete, each by either client; and what one has written is what the other reads.
"""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from postgrest import APIError
from supabase import AsyncClient, acreate_client

from tests.hub.conformance.guests import JsGuest
from tests.hub.conformance.stage import Running, Stage

CLIENTS = ("js", "python")
Ask = Callable[..., Awaitable[dict[str, Any]]]
CODES = (f"CRUD{number:02}" for number in itertools.count())
_PYTHON_NAMES = {"in": "in_", "is": "is_"}


async def asking_js(stage: Stage) -> Ask:
    guest = await stage.guest("js2", "asks", "room:CRUD")
    assert isinstance(guest, JsGuest)

    async def ask(*calls: tuple[object, ...]) -> dict[str, Any]:
        answer = await guest.rest("sessions", *calls)
        return {**answer, "code": (answer["error"] or {}).get("code")}

    return ask


async def asking_python(stage: Stage) -> Ask:
    client: AsyncClient = await acreate_client(stage.url, "any.key.works")

    async def ask(*calls: tuple[object, ...]) -> dict[str, Any]:
        query: Any = client.table("sessions")
        for number, (name, *arguments) in enumerate(calls):
            if name == "select" and number:  # it shows what it wrote without being asked
                continue
            query = _called(query, str(name), arguments)
        try:
            answer = await query.execute()
        except APIError as exc:
            return {"data": None, "code": exc.code, "count": None}
        return {"data": answer.data, "code": None, "count": answer.count}

    return ask


def _called(query: Any, name: str, arguments: list[object]) -> Any:
    """A method with its options as the last argument, an object in JavaScript and keywords here."""
    if name == "order" or (name == "select" and len(arguments) > 1):
        first, options = arguments
        assert isinstance(options, dict)
        words = {"desc": not options["ascending"]} if name == "order" else options
        return query.order(first, **words) if name == "order" else query.select(first, **words)
    return getattr(query, _PYTHON_NAMES.get(name, name))(*arguments)


ASKING = {"js": asking_js, "python": asking_python}


def by_each(cell: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "client", [pytest.param(client, id=f"sessions-{cell}-{client}") for client in CLIENTS]
    )


def by_pairs(cell: str) -> pytest.MarkDecorator:
    pairs = itertools.product(CLIENTS, CLIENTS)
    runs = [pytest.param(*pair, id=f"sessions-{cell}-{pair[0]}-writes-{pair[1]}-reads") for pair in pairs]
    return pytest.mark.parametrize(("writer", "reader"), runs)


def state(revision: int) -> dict[str, Any]:
    return {"music": {"tempo": 120.5, "key": "F#"}, "metadata": {"revision": revision}, "ours": ["é", None, True]}


@by_pairs("create-and-read")
def test_create_and_read(hub: Running, writer: str, reader: str) -> None:
    async def scenario(stage: Stage) -> None:
        code, write, read = next(CODES), await ASKING[writer](stage), await ASKING[reader](stage)
        created = await write(("insert", {"id": code, "state": state(1)}), ("select",))
        assert (created["code"], created["data"][0]["state"]) == (None, state(1))
        row = (await read(("select", "*"), ("eq", "id", code), ("single",)))["data"]
        assert (row["id"], row["state"]) == (code, state(1))
        assert row["created_at"] == created["data"][0]["created_at"]

    hub.play(scenario)


@by_each("create-twice")
def test_create_twice(hub: Running, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        code, ask = next(CODES), await ASKING[client](stage)
        assert (await ask(("insert", {"id": code, "state": {}})))["code"] is None
        assert (await ask(("insert", {"id": code, "state": {}})))["code"] == "23505"

    hub.play(scenario)


@by_each("read-none")
def test_read_none(hub: Running, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        ask = await ASKING[client](stage)
        assert (await ask(("select", "*"), ("eq", "id", "NOPE00")))["data"] == []
        assert (await ask(("select", "*"), ("eq", "id", "NOPE00"), ("single",)))["code"] == "PGRST116"

    hub.play(scenario)


@by_each("list")
def test_list(hub: Running, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        codes, ask = [next(CODES) for _ in range(3)], await ASKING[client](stage)
        for code in codes:
            await ask(("insert", {"id": code, "state": state(1)}))
        query = (("select", "id, state->music->>key", {"count": "exact"}), ("in", "id", codes))
        found = await ask(*query, ("order", "created_at", {"ascending": False}), ("limit", 2))
        assert found["data"] == [{"id": code, "key": "F#"} for code in codes[:0:-1]]
        assert found["count"] == 3

    hub.play(scenario)


@by_pairs("update")
def test_update(hub: Running, writer: str, reader: str) -> None:
    async def scenario(stage: Stage) -> None:
        code, write, read = next(CODES), await ASKING[writer](stage), await ASKING[reader](stage)
        await write(("insert", {"id": code, "state": state(1)}))
        await write(("update", {"state": state(2)}), ("eq", "id", code))
        row = (await read(("select", "state"), ("eq", "id", code), ("single",)))["data"]
        assert row == {"state": state(2)}

    hub.play(scenario)


@by_each("update-by-revision")
def test_update_by_revision(hub: Running, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        code, ask = next(CODES), await ASKING[client](stage)
        await ask(("insert", {"id": code, "state": state(1)}))
        for revision, written in ((1, 1), (1, 0), (2, 1)):
            change = ("update", {"state": state(revision + 1)})
            where = ("eq", "id", code), ("eq", "state->metadata->>revision", str(revision))
            assert len((await ask(change, *where, ("select",)))["data"]) == written

    hub.play(scenario)


@by_each("upsert")
def test_upsert(hub: Running, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        code, ask = next(CODES), await ASKING[client](stage)
        for revision in (1, 2):
            answer = await ask(("upsert", {"id": code, "state": state(revision)}), ("select",))
            assert (answer["code"], answer["data"][0]["state"]) == (None, state(revision))
        assert len((await ask(("select", "id"), ("eq", "id", code)))["data"]) == 1

    hub.play(scenario)


@by_pairs("delete")
def test_delete(hub: Running, writer: str, reader: str) -> None:
    async def scenario(stage: Stage) -> None:
        code, write, read = next(CODES), await ASKING[writer](stage), await ASKING[reader](stage)
        await read(("insert", {"id": code, "state": {}}))
        assert [row["id"] for row in (await write(("delete",), ("eq", "id", code), ("select",)))["data"]] == [code]
        assert (await read(("select", "id"), ("eq", "id", code)))["data"] == []

    hub.play(scenario)


@by_each("unknown-column")
def test_unknown_column(hub: Running, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        ask = await ASKING[client](stage)
        assert (await ask(("select", "foo")))["code"] == "42703"
        assert (await ask(("insert", {"id": "CRUD99", "foo": 1})))["code"] == "PGRST204"

    hub.play(scenario)
