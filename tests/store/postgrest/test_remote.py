"""The way into a project's table when others write as well, when answers get lost, and when nobody is there."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from jambridge.errors import LinkError
from jambridge.store.remote import Endpoint, RemoteStore, open_remote
from jambridge.strict_json import JsonObject
from tests.fakes.waiting import until
from tests.store import golden
from tests.store.postgrest.bridge import a_bridge, a_remote, run, stored
from tests.store.postgrest.cluster import PostgrestServer, jwt
from tests.store.postgrest.gateway import PUBLISHABLE_KEY, open_gateway

ROUNDS = 20


@pytest.fixture
def fragile(project: PostgrestServer) -> Iterator[PostgrestServer]:
    """To be stopped and started at will; afterwards it runs."""
    yield project
    project.stop()
    project.start()


def at(tempo: int, state: JsonObject = golden.GOLDEN) -> JsonObject:
    return {**state, "music": {**golden.MUSIC, "tempo": tempo}}


async def add_module(remote: RemoteStore, number: int) -> None:
    """A browser's change: read, changed and written if nobody wrote in between, until that succeeds."""
    while True:
        present = await remote.get("ABC123")
        assert present is not None
        revision = present.state["metadata"]["revision"]
        modules = [*present.state["studio"]["loadedModules"], {"instanceId": f"m-{number}", "moduleId": "m"}]
        state = {
            **present.state,
            "studio": {"loadedModules": modules, "activeModuleId": None},
            "metadata": {**present.state["metadata"], "revision": revision + 1},
        }
        if await remote._replace("ABC123", revision, state):
            return


def test_two_who_write_at_once_lose_nothing_of_each_other(project: PostgrestServer) -> None:
    async def scenario() -> None:
        async with (
            open_gateway(project.url) as gateway,
            a_remote(gateway.url) as host,
            a_remote(gateway.url) as browser,
        ):
            state = await host.save("ABC123", {**golden.GOLDEN, "studio": {"loadedModules": []}})

            async def host_writes() -> None:
                nonlocal state
                for number in range(ROUNDS):
                    state = await host.save("ABC123", at(100 + number, state))

            async def browser_writes() -> None:
                for number in range(ROUNDS):
                    await add_module(browser, number)

            async with asyncio.timeout(60), asyncio.TaskGroup() as both:
                both.create_task(host_writes())
                both.create_task(browser_writes())

            row = stored(project)
            assert row["music"]["tempo"] == 100 + ROUNDS - 1
            assert [one["instanceId"] for one in row["studio"]["loadedModules"]] == [f"m-{n}" for n in range(ROUNDS)]
            assert row["metadata"]["revision"] == 1 + 2 * ROUNDS

    run(scenario())


def test_two_boxes_that_create_the_same_session_at_once_agree(project: PostgrestServer) -> None:
    async def scenario() -> None:
        async with open_gateway(project.url) as gateway, a_remote(gateway.url) as one, a_remote(gateway.url) as other:
            await asyncio.gather(one.save("ABC123", at(100)), other.save("ABC123", at(200)))

            assert stored(project)["music"]["tempo"] in {100, 200}
            assert project.sql("SELECT count(*) FROM sessions") == ["1"]

    run(scenario())


def test_a_write_whose_answer_was_lost_is_repeated_without_effect(project: PostgrestServer) -> None:
    async def scenario() -> None:
        async with open_gateway(project.url) as gateway, a_remote(gateway.url) as remote:
            for method, tempo, revision in (("POST", 100, 1), ("PATCH", 200, 2)):
                gateway.loses_answers_to = {method}
                with pytest.raises(LinkError):
                    await remote.save("ABC123", at(tempo))
                written = stored(project)
                assert (written["music"]["tempo"], written["metadata"]["revision"]) == (tempo, revision)

                gateway.loses_answers_to = set()
                assert await remote.save("ABC123", at(tempo)) == written

                assert stored(project) == written

    run(scenario())


def test_while_the_database_is_away_changes_wait_and_only_the_last_arrives(
    fragile: PostgrestServer, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_gateway(fragile.url) as gateway, a_bridge(tmp_path, gateway.url) as bridge:
            await bridge.delivered()
            fragile.stop()
            for tempo in (90, 95, 100):
                bridge.change("tempo", tempo)
                assert await bridge.saver.save()
            await until(lambda: bridge.saver.report.pending == 1)
            assert stored(fragile)["music"]["tempo"] == 140

            await asyncio.to_thread(fragile.start)
            await bridge.delivered()

            assert stored(fragile)["music"]["tempo"] == 100
            assert bridge.saver.report.last_error is None

    run(scenario())


def test_what_waits_survives_a_restart_of_the_bridge_even_in_another_room(
    fragile: PostgrestServer, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with open_gateway(fragile.url) as gateway:
            fragile.stop()
            async with a_bridge(tmp_path, gateway.url, "OLDER1", music={**golden.MUSIC, "tempo": 77}) as before:
                await until(lambda: before.saver.report.pending == 1)
            await asyncio.to_thread(fragile.start)

            async with a_bridge(tmp_path, gateway.url, "NEWER1") as after:
                await until(lambda: {"OLDER1", "NEWER1"} <= {*fragile.sql("SELECT id FROM sessions")})
                await after.delivered()

            assert stored(fragile, "OLDER1")["music"]["tempo"] == 77

    run(scenario())


def test_the_same_code_day_after_day(project: PostgrestServer, tmp_path: Path) -> None:
    """Yesterday's row is seen by nobody, and must not be in the way."""

    async def scenario() -> None:
        async with open_gateway(project.url) as gateway:
            project.sql(
                "INSERT INTO sessions VALUES ('ABC123', now() - interval '25 hours', '{\"music\": {\"tempo\": 60}}')"
            )
            async with a_bridge(tmp_path, gateway.url) as bridge:
                await bridge.delivered()

            assert stored(project)["music"] == golden.MUSIC
            assert project.sql("SELECT created_at > now() - interval '1 minute' FROM sessions") == ["t"]

    run(scenario())


def test_a_session_that_outlives_its_row_goes_on_in_a_new_one(project: PostgrestServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_gateway(project.url) as gateway, a_bridge(tmp_path, gateway.url) as bridge:
            await bridge.delivered()
            project.sql("UPDATE sessions SET created_at = now() - interval '25 hours'")
            bridge.change("tempo", 90)
            await until(lambda: stored(project)["music"]["tempo"] == 90)

            assert project.sql("SELECT created_at > now() - interval '1 minute' FROM sessions") == ["t"]

    run(scenario())


@pytest.mark.parametrize("odd", ["7", "", 1.5, True, [1], {"a": 1}, None])
def test_a_revision_that_is_no_number_is_replaced_by_one(project: PostgrestServer, odd: object) -> None:
    async def scenario() -> None:
        async with open_gateway(project.url) as gateway, a_remote(gateway.url) as remote:
            await remote.save("ABC123", {**golden.GOLDEN, "metadata": {"revision": odd}})
            remote.forget("ABC123")
            written = await remote.save("ABC123", at(100))
            assert await remote.save("ABC123", at(101, written)) == stored(project)
            assert stored(project)["music"]["tempo"] == 101
            assert isinstance(stored(project)["metadata"]["revision"], int)

    run(scenario())


def test_what_the_project_refuses_is_said(project: PostgrestServer) -> None:
    async def scenario() -> None:
        async with open_gateway(project.url) as gateway, a_remote(gateway.url) as remote:
            await remote.save("ABC123", golden.GOLDEN)
            with pytest.raises(LinkError, match="does not let anyone delete ABC123"):
                await remote.delete("ABC123")
            assert await remote.delete("NONE00") is False
            with pytest.raises(LinkError, match=r"23514.*sessions_id_is_a_room_code"):
                await remote.save("not a code", golden.GOLDEN)
            with pytest.raises(LinkError, match=r"23514.*sessions_state_is_a_small_object"):
                await remote.save("ABC123", {**golden.GOLDEN, "studio": {"loadedModules": [], "x": "y" * 100_000}})
            assert stored(project) == golden.GOLDEN

    run(scenario())


def test_the_new_kind_of_key_works_and_a_strangers_does_not(project: PostgrestServer) -> None:
    async def scenario() -> None:
        async with open_gateway(project.url) as gateway:
            async with open_remote(Endpoint(gateway.url, PUBLISHABLE_KEY)) as remote:
                await remote.save("ABC123", golden.GOLDEN)
            async with open_remote(Endpoint(gateway.url, jwt("anon", ref="another"))) as stranger:
                with pytest.raises(LinkError, match="Invalid API key"):
                    await stranger.get("ABC123")

        assert stored(project) == golden.GOLDEN

    run(scenario())
