"""The room's part of the whole doctor, against real projects and a real hub."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from jambridge.doctor.finding import Finding, Verdict, failure, good, note, warning
from jambridge.doctor.judge import room
from tests.doctor.look import look
from tests.doctor.test_supabase import a_project
from tests.fakes.ports import free_port
from tests.hub.live import live_hub
from tests.store.postgrest.cluster import ANON_KEY, Cluster, PostgrestServer, jwt


def seen(config: Path, key: str, url: str) -> dict[str, Finding]:
    section = {"url": url, "anon_key": key}
    hub = {"mode": "off"}
    config.write_text(json.dumps({"http": {"port": 9}, "supabase": section, "hub": hub}))
    return look(config, "room")


def examined(rest: PostgrestServer, directory: Path, key: str = ANON_KEY) -> dict[str, Finding]:
    async def scenario() -> dict[str, Finding]:
        async with a_project(rest, directory) as gateway:
            return await asyncio.to_thread(seen, directory / "config.yaml", key, gateway.url)

    return asyncio.run(scenario())


def test_a_project_that_is_well_is_one_line(project: PostgrestServer, tmp_path: Path) -> None:
    found = examined(project, tmp_path)

    assert {name: one.verdict for name, one in found.items()} == {"Supabase": Verdict.GOOD, "hub": Verdict.NOTE}


def test_a_wrong_key(project: PostgrestServer, tmp_path: Path) -> None:
    found = examined(project, tmp_path, jwt("anon", ref="another"))

    assert found["Supabase rest"].verdict is Verdict.FAILURE
    assert "does not accept the key" in found["Supabase rest"].reason
    assert "copy the public key" in found["Supabase rest"].remedy


def test_a_missing_table(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.project() as empty:
        found = examined(empty, tmp_path)

    assert found["Supabase table"].reason == "there is no table `sessions`"
    assert found["Supabase table"].remedy


def with_hub(directory: Path, act: Callable[[str], Awaitable[dict[str, Finding]]]) -> dict[str, Finding]:
    async def scenario() -> dict[str, Finding]:
        async with live_hub(directory) as hub:
            return await act(f"http://127.0.0.1:{hub.port}")

    return asyncio.run(scenario())


def test_a_hub_that_is_named_and_well(tmp_path: Path) -> None:
    async def act(url: str) -> dict[str, Finding]:
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps({"http": {"port": 9}, "hub": {"url": url}}))
        return await asyncio.to_thread(look, config, "room")

    (found,) = with_hub(tmp_path, act).values()

    assert found.verdict is Verdict.GOOD
    assert found.check == "hub"


def test_a_hub_that_is_named_and_gone(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"http": {"port": 9}, "hub": {"url": f"http://127.0.0.1:{free_port()}"}}))
    (found,) = look(config, "room").values()

    assert found.verdict is Verdict.FAILURE
    assert "leave hub.url out" in found.remedy


def test_a_summary_tells_only_what_is_wrong() -> None:
    well = [good("join", "it can be"), note("index", "cannot be seen")]
    late = warning("clock", "a minute late", "set it")
    ill = failure("table", "there is none", "make it")

    assert [one.check for one in room.summary("hub", "http://h", [*well, late])] == ["hub", "hub clock"]
    assert [one.check for one in room.summary("hub", "http://h", [*well, late, ill])] == ["hub clock", "hub table"]


def test_without_any_room_it_is_said() -> None:
    alone = room.no_hub(None, mode="off", has_supabase=False)

    assert (alone.verdict, alone.remedy) == (Verdict.WARNING, "hub.mode: auto")
    assert room.no_hub(None, mode="auto", has_supabase=False).verdict is Verdict.GOOD
