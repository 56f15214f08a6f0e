"""The eight tests of the session persistence story by their names, with a real PostgREST and the shipped SQL."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jambridge.errors import Text
from jambridge.store.remote import RemoteStore
from jambridge.store.resuming import Resume, resolve_resume
from jambridge.store.sqlite import SqliteStore
from jambridge.strict_json import JsonObject
from jambridge.units import RoomCode
from tests.fakes.waiting import until
from tests.hub.live import Member, live_hub
from tests.store import golden
from tests.store.postgrest.bridge import a_bridge, a_remote, member, run, stored
from tests.store.postgrest.cluster import PostgrestServer
from tests.store.postgrest.gateway import open_gateway

CODE = RoomCode("ABC123")


async def resumed(remote: RemoteStore, directory: Path, now: datetime | None = None) -> Resume:
    """On a box that has never seen the session."""
    local = SqliteStore.open(directory / "another.sqlite")
    try:
        return await resolve_resume(local, remote, CODE, now or datetime.now(UTC), play=False, device_ips=True)
    finally:
        local.close()


async def opened_in_a_browser(remote: RemoteStore, studio: JsonObject) -> None:
    """What the app in a browser puts there: its studio, one revision on."""
    present = await remote.get(CODE)
    assert present is not None
    revision = present.state["metadata"]["revision"] + 1
    await remote._replace(
        CODE,
        revision - 1,
        {**present.state, "studio": studio, "metadata": {**present.state["metadata"], "revision": revision}},
    )
    remote.forget(CODE)


def test_1_comprehensive_session_persistence(project: PostgrestServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            open_gateway(project.url) as gateway,
            a_remote(gateway.url) as browser,
            a_bridge(tmp_path, gateway.url) as bridge,
        ):
            await bridge.delivered()
            created = stored(project)
            assert created["music"] == golden.MUSIC
            assert created["hardware"] == golden.HARDWARE
            counts = {"participantCount": 1, "totalStateChanges": 0, "durationMinutes": 0, "revision": 1}
            assert created["metadata"].items() >= counts.items()

            await opened_in_a_browser(browser, golden.STUDIO)
            bridge.inputs.members.set((member("Anna"), member("Ben")))
            await until(lambda: stored(project)["metadata"]["participantCount"] == 2)

            after = stored(project)
            assert after["studio"] == golden.STUDIO
            assert (after["music"], after["hardware"]) == (golden.MUSIC, golden.HARDWARE)
            assert after["metadata"]["revision"] == 3

    run(scenario())


def test_2_periodic_state_updates(project: PostgrestServer, tmp_path: Path) -> None:
    more = {"loadedModules": [golden.PIANO, golden.GUITAR, golden.ISOMETRIC], "activeModuleId": "piano-1"}

    async def scenario() -> None:
        async with (
            open_gateway(project.url) as gateway,
            a_remote(gateway.url) as browser,
            a_bridge(tmp_path, gateway.url) as bridge,
        ):
            await until(lambda: stored(project) != {})
            await bridge.delivered()
            await opened_in_a_browser(browser, more)
            bridge.elapsed_s += 61
            bridge.change("tempo", 160)
            bridge.inputs.setup.set(replace(bridge.inputs.setup.value, master_volume=0.9))
            await until(lambda: stored(project)["music"]["tempo"] == 160)

            state = stored(project)
            assert state["music"] == {**golden.MUSIC, "tempo": 160, "masterVolume": 0.9}
            assert state["studio"] == more
            assert state["metadata"].items() >= {"totalStateChanges": 1, "durationMinutes": 1}.items()

    run(scenario())


def test_3_session_resume_with_full_state_restoration(project: PostgrestServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_gateway(project.url) as gateway, a_remote(gateway.url) as remote:
            await remote.save(CODE, golden.GOLDEN)

            soon = await resumed(remote, tmp_path)

            assert soon.code == CODE
            assert soon.problem is None
            assert [step.name for step in soon.steps] == [
                *["tempo", "key", "scale", "colorMode", "masterVolume", "module", "module", "activeModule"],
                *["midiInput", "midiOutput", "wledDevices", "activeWled"],
            ]
            values = dict(step for step in soon.steps if step.name != "module")
            assert values["tempo"] == 140
            assert (values["key"], values["scale"], values["masterVolume"]) == ("D", "minor", 0.8)
            assert [step.value for step in soon.steps if step.name == "module"] == [golden.PIANO, golden.GUITAR]
            assert values["activeModule"] == "guitar-1"
            assert values["midiInput"] == "MIDI Keyboard"
            assert values["wledDevices"] == [golden.STRIP]

    run(scenario())


def test_3_resumed_after_24_hours_it_is_a_new_session(project: PostgrestServer, tmp_path: Path) -> None:
    """The project shows an expired one to nobody; the box that hosted it still has it."""

    async def scenario() -> None:
        async with open_gateway(project.url) as gateway:
            local = SqliteStore.open(tmp_path / "sessions.sqlite")
            local.insert(CODE, golden.GOLDEN, now=datetime.now(UTC), created_at=datetime.now(UTC) - timedelta(hours=25))
            project.sql(f"INSERT INTO sessions VALUES ('{CODE}', now() - interval '25 hours', '{{}}')")
            async with a_remote(gateway.url) as remote:
                assert await remote.get(CODE) is None
                late = await resolve_resume(local, remote, CODE, datetime.now(UTC), play=False, device_ips=True)
            local.close()

            assert late.code != CODE
            async with a_bridge(tmp_path, gateway.url, late.code, resumed=late.stored) as bridge:
                bridge.change("tempo", 90)
                await until(lambda: stored(project, late.code) != {})

            state = stored(project, late.code)
            assert state["metadata"]["sessionName"] == "Resumed from ABC123"
            assert state["studio"] == golden.STUDIO

    run(scenario())


def test_4_recent_sessions_query(project: PostgrestServer) -> None:
    async def scenario() -> None:
        async with open_gateway(project.url) as gateway, a_remote(gateway.url) as remote:
            for minutes, tempo in ((5, 100), (0, 300), (2, 200)):
                state = json.dumps({**golden.GOLDEN, "music": {**golden.MUSIC, "tempo": tempo}})
                project.sql(
                    f"INSERT INTO sessions VALUES ('TEMPO{minutes}', now() - interval '{minutes} minutes', '{state}')"
                )

            recent = await remote.recent()

            assert [one.id for one in recent] == ["TEMPO0", "TEMPO2", "TEMPO5"]
            assert [one.state["music"]["tempo"] for one in recent] == [300, 200, 100]
            assert all(one.state["studio"] == golden.STUDIO for one in recent)
            assert [one.id for one in await remote.recent(2)] == ["TEMPO0", "TEMPO2"]

    run(scenario())


def test_5_auto_cleanup(project: PostgrestServer) -> None:
    async def scenario() -> None:
        async with open_gateway(project.url) as gateway, a_remote(gateway.url) as remote:
            await remote.save(CODE, golden.GOLDEN)
            project.sql(
                "INSERT INTO sessions (id, created_at, state) VALUES ('OLD123', NOW() - INTERVAL '25 hours', '{}')"
            )

            assert project.sql("SELECT delete_old_sessions()") == ["1"]

            assert stored(project) == golden.GOLDEN
            assert project.sql("SELECT id FROM sessions") == [CODE]

    run(scenario())


def test_6_database_error_handling(project: PostgrestServer, tmp_path: Path) -> None:
    """A session begins while the database is away: it goes on, is saved here, and arrives there afterwards."""

    async def scenario() -> None:
        async with live_hub(tmp_path) as hub, open_gateway(project.url) as gateway:
            project.stop()
            async with a_bridge(tmp_path, gateway.url) as bridge:
                await until(lambda: bridge.saver.report.last_error is not None)
                async with Member.joined(hub, "a") as anna, Member.joined(hub, "b") as ben:
                    await anna.broadcast("tempo-change", tempo=90)
                    assert (await ben.heard("tempo-change"))["tempo"] == 90
                assert bridge.saver.report.saved_at is not None
                assert bridge.saver.report.pending == 1

                await asyncio.to_thread(project.start)
                await bridge.delivered()

                assert bridge.saver.report.last_error is None
                assert stored(project)["music"] == golden.MUSIC

    try:
        run(scenario())
    finally:
        project.stop()
        project.start()


def test_7_state_restoration_error_handling(project: PostgrestServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_gateway(project.url) as gateway, a_remote(gateway.url) as remote:
            await remote.save(CODE, golden.GOLDEN)
            project.sql("UPDATE sessions SET state = '{\"invalid\": true}' WHERE id = 'ABC123'")

            failed = await resumed(remote, tmp_path)

            assert failed.problem is Text.RESTORE_FAILED
            assert str(failed.problem) == "Failed to restore session. Starting with default configuration."
            assert (failed.code, failed.steps, failed.stored) == (CODE, (), None)
            async with a_bridge(tmp_path, gateway.url) as bridge:
                await bridge.delivered()
                await until(lambda: "music" in stored(project))
            assert stored(project)["music"] == golden.MUSIC
            assert stored(project)["invalid"] is True  # not ours: kept

    run(scenario())


def test_8_module_settings_persistence(project: PostgrestServer, tmp_path: Path) -> None:
    settings = {"gridSize": 64, "noteRange": {"low": "C2", "high": "C7"}, "velocity": 0.9}

    async def scenario() -> None:
        async with open_gateway(project.url) as gateway, a_remote(gateway.url) as browser:
            async with a_bridge(tmp_path, gateway.url) as bridge:
                await until(lambda: stored(project) != {})
                await opened_in_a_browser(browser, {"loadedModules": [golden.PIANO], "activeModuleId": "piano-1"})
                bridge.change("tempo", 160)
                await until(lambda: stored(project)["music"]["tempo"] == 160)

            again = await resumed(browser, tmp_path)

            (module,) = [step.value for step in again.steps if step.name == "module"]
            assert module == {**golden.PIANO, "settings": settings}
            assert again.state_values["tempo"] == 160

    run(scenario())
