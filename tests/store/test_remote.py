"""The room's own database over REST: optimistic, idempotent, and never trusted."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jambridge.errors import LinkError, WireError
from jambridge.store import merging, record, remote, transport
from jambridge.store.remote import Endpoint, RemoteStore, open_remote
from jambridge.strict_json import JsonObject
from tests.fakes.rest_table import RestTable
from tests.store.golden import GOLDEN, ISOMETRIC, MUSIC

Scenario = Callable[[RestTable, RemoteStore], Awaitable[None]]


def run(scenario: Scenario) -> None:
    async def whole() -> None:
        async with asyncio.timeout(60), RestTable().open() as table, open_remote(table.endpoint) as store:
            await scenario(table, store)

    asyncio.run(whole())


def numbered(state: JsonObject, revision: int, **metadata: Any) -> JsonObject:
    return {**state, "metadata": {**state["metadata"], "revision": revision, **metadata}}


FASTER = {**GOLDEN, "music": {**MUSIC, "tempo": 160}}
BROWSERS = {
    **GOLDEN,
    "music": {**MUSIC, "tempo": 99},
    "studio": {"loadedModules": [ISOMETRIC], "activeModuleId": "isometric-1"},
}


def test_a_session_is_inserted_and_then_replaced_without_reading_it_again() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        assert await store.save("ABC123", GOLDEN) == GOLDEN
        assert await store.save("ABC123", numbered(FASTER, 2)) == numbered(FASTER, 2)

        assert table.requests == ["GET", "POST", "PATCH"]
        found = await store.get("ABC123")
        assert found is not None and found.state == numbered(FASTER, 2)
        assert [one.id for one in await store.recent()] == ["ABC123"]

    run(scenario)


def test_what_a_browser_stored_meanwhile_is_kept_beside_our_music() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        await store.save("ABC123", GOLDEN)
        table.put("ABC123", {**numbered(BROWSERS, 2), "mixer": [1]})

        stored = await store.save("ABC123", numbered(FASTER, 2))

        assert stored == table.state("ABC123") == {**numbered(FASTER, 3), "studio": BROWSERS["studio"], "mixer": [1]}

    run(scenario)


def test_a_row_never_seen_is_read_before_it_is_written_though_its_revision_fits() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        table.put("ABC123", numbered(BROWSERS, 4))

        await store.save("ABC123", numbered(FASTER, 5))

        assert table.state("ABC123") == {**numbered(FASTER, 5), "studio": BROWSERS["studio"]}

    run(scenario)


def test_a_row_without_a_revision_of_an_older_app_is_taken_over() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        table.put("ABC123", {"tempo": 90, "isPlaying": False})

        await store.save("ABC123", GOLDEN)

        assert table.state("ABC123") == {"tempo": 90, "isPlaying": False, **GOLDEN}

    run(scenario)


def test_an_answer_that_was_lost_is_no_second_change() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        await store.save("ABC123", GOLDEN)
        for state, revision in ((FASTER, 2), (GOLDEN, 3)):
            table.lose_answer = True
            with pytest.raises(LinkError):
                await store.save("ABC123", numbered(state, revision))
            assert await store.save("ABC123", numbered(state, revision)) == numbered(state, revision)
        assert table.requests.count("PATCH") == 2

    run(scenario)


def test_a_lost_answer_to_the_insert_is_found_to_have_arrived() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        table.lose_answer = True
        with pytest.raises(LinkError):
            await store.save("ABC123", GOLDEN)

        assert await store.save("ABC123", GOLDEN) == GOLDEN
        assert table.requests.count("POST") == 1

    run(scenario)


def test_two_who_insert_at_once_both_succeed() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        def first() -> None:
            table.before_write = lambda: None
            table.put("ABC123", BROWSERS)

        table.before_write = first

        stored = await store.save("ABC123", FASTER)

        assert (stored["music"]["tempo"], stored["studio"]) == (160, BROWSERS["studio"])

    run(scenario)


def test_who_is_always_beaten_gives_up_after_three_tries() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        await store.save("ABC123", GOLDEN)
        table.requests.clear()
        numbers = iter(range(100, 200))
        table.before_write = lambda: table.put("ABC123", numbered(BROWSERS, next(numbers)))

        with pytest.raises(LinkError, match="others write it"):
            await store.save("ABC123", numbered(FASTER, 2))

        assert table.requests.count("PATCH") == 1 + remote.TRIES

    run(scenario)


def test_who_does_not_host_leaves_what_is_newer_in_peace() -> None:
    newer = numbered(BROWSERS, 7, updatedAt="2026-11-21T10:00:00.000000+00:00")

    async def scenario(table: RestTable, store: RemoteStore) -> None:
        table.put("ABC123", newer)

        assert await store.save("ABC123", FASTER, hosting=False) == newer
        assert table.state("ABC123") == newer
        store.forget("ABC123")
        await store.save("ABC123", FASTER, merge=merging.merge_untouched)
        assert table.state("ABC123")["music"]["tempo"] == 99

    run(scenario)


def test_deleting_and_not_being_allowed_to() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        table.put("ABC123", GOLDEN)
        table.deletable = False
        with pytest.raises(LinkError, match="does not let anyone delete ABC123"):
            await store.delete("ABC123")
        table.deletable = True
        assert [await store.delete("ABC123"), await store.delete("ABC123")] == [True, False]

    run(scenario)


def test_a_database_that_does_not_answer_is_given_up_and_counted() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        table.silent = True
        started = asyncio.get_running_loop().time()
        with pytest.raises(LinkError, match="did not answer within 5 s"):
            await store.get("ABC123")

        assert asyncio.get_running_loop().time() - started >= remote.TIMEOUT_S - 0.1
        assert store.pool.timeouts == 1

    run(scenario)


def test_few_connections_are_opened_and_they_are_shown() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        table.put("ABC123", GOLDEN)
        await asyncio.gather(*(store.get("ABC123") for _ in range(40)))

        assert len(table.requests) == 40
        assert store.pool.active == 0 and 1 <= store.pool.idle <= transport.MOST_CONNECTIONS

    run(scenario)


@pytest.mark.parametrize(
    "answer",
    [
        (500, b""),
        (503, b"<html>upstream</html>"),
        (401, b'{"message": "Invalid API key"}'),
        (404, b'{"code": "PGRST205", "message": "no table\\nlike that"}'),
        (200, b"null"),
        (200, b"{}"),
        (200, b'"text"'),
        (200, b"[1]"),
        (200, b'[{"id": 5}]'),
        (200, b'[{"id": "ABC123"}]'),
        (200, b'[{"id": "ABC123", "created_at": "soon"}]'),
        (200, b"[" * 100_000),
        (200, b'[{"id": "' + b"x" * 9_000_000 + b'"}]'),
        (200, b"\xff\xfe"),
    ],
    ids=lambda answer: f"{answer[0]} {answer[1][:24]!r}",
)
def test_whatever_it_answers_is_a_link_error_in_one_line(answer: tuple[int, bytes]) -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        table.answer = answer
        for ask in (lambda: store.get("ABC123"), store.recent, lambda: store.save("ABC123", GOLDEN)):
            with pytest.raises(LinkError) as caught:
                await ask()
            assert "\n" not in str(caught.value) and len(str(caught.value)) < 400

    run(scenario)


def test_an_empty_answer_is_no_success() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        table.answer = (200, b"")

        with pytest.raises(LinkError, match="does not say what it stored"):
            await store.save("ABC123", GOLDEN)

    run(scenario)


@pytest.mark.parametrize("state", [None, 5, "text", [1]])
def test_a_state_that_is_none_is_the_empty_one(state: object) -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        row = {"id": "ABC123", "created_at": "2026-11-21T09:00:00+00:00", "state": state}
        table.answer = (200, json.dumps([row]).encode())

        found = await store.get("ABC123")

        assert found is not None and found.state == {}

    run(scenario)


@pytest.mark.parametrize("value", [json.loads("[" * 50 + "]" * 50), 10**30, "y" * record.MAX_BYTES], ids=type)
def test_a_state_beyond_our_bounds_is_not_overwritten(value: object) -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        table.put("ABC123", {**GOLDEN, "x": value})

        with pytest.raises(LinkError, match="no session"):
            await store.save("ABC123", FASTER)

        assert table.state("ABC123") == {**GOLDEN, "x": value}

    run(scenario)


def test_a_state_too_large_is_not_even_sent() -> None:
    async def scenario(table: RestTable, store: RemoteStore) -> None:
        with pytest.raises(WireError):
            await store.save("ABC123", {**GOLDEN, "x": "y" * record.MAX_BYTES})
        assert table.requests == []

    run(scenario)


def test_nobody_there_is_a_link_error_and_the_key_is_in_no_text() -> None:
    async def scenario() -> None:
        endpoint = Endpoint("http://127.0.0.1:9", "secret-key")
        async with open_remote(endpoint) as store:
            with pytest.raises(LinkError) as caught:
                await store.get("ABC123")
        assert "secret-key" not in f"{caught.value}{endpoint}"

    asyncio.run(scenario())


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://x", "http://[::1", "http://a b/"])
def test_an_address_that_is_none_is_a_link_error(url: str) -> None:
    async def scenario() -> None:
        async with open_remote(Endpoint(url, "k")) as store:
            await store.get("ABC123")

    with pytest.raises(LinkError):
        asyncio.run(scenario())
