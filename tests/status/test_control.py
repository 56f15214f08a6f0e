"""Changing the room's state over local HTTP, through a real socket."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from jambridge.config import Config
from jambridge.errors import LinkError, UnavailableError, UsageError, WireError
from jambridge.lighting import Lighting
from jambridge.status.control import KEYS_KEPT_S, MOST_KEYS, Adjustable, Control, Room
from jambridge.strict_json import JsonObject


@dataclass
class Tempo:
    """A room whose only state is its tempo."""

    tempo: float = 120
    revision: int = 0
    changes: list[float] = field(default_factory=list)
    left: int = 0
    ours: bool = True
    now_s: float = 0.0
    volumes: JsonObject = field(default_factory=lambda: {"masterVolume": 0.8})

    def values(self) -> JsonObject:
        return {"tempo": self.tempo}

    def change(self, fields: Mapping[str, object]) -> None:
        tempo = fields.get("tempo")
        if not isinstance(tempo, int) or set(fields) != {"tempo"}:
            raise WireError("tempo is a number from 40 to 300")
        if not self.ours:
            raise LinkError("only the host changes tempo and key in this room")
        self.tempo = tempo
        self.revision += 1
        self.changes.append(tempo)

    def leave(self) -> None:
        self.left += 1

    def set_volumes(self, wanted: JsonObject) -> None:
        if "masterVolume" not in wanted:
            raise WireError("give masterVolume")
        self.volumes |= wanted

    def try_light(self, wanted: JsonObject) -> JsonObject:
        if "pattern" not in wanted:
            raise WireError("pattern is one of identify, test")
        if wanted.get("controller") != "Stage":
            raise LinkError("no WLED called so was found")
        return wanted

    async def sessions(self, limit: int) -> list[JsonObject]:
        return [{"id": "ABC123", "state": {"music": {"tempo": 90}, "hardware": {}}}][:limit]

    async def resume(self, wanted: str) -> str:
        if wanted == "?":
            raise UsageError("that is no code")
        if wanted != "ABC123":
            raise UnavailableError("Session not found")
        return wanted


def asked(room: Tempo, scenario: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
    async def run() -> None:
        volumes = Adjustable(room.volumes.copy, room.set_volumes)
        control = Control(
            Room(lambda: room, room.change, room.leave, room.sessions, dict, room.resume),
            volumes,
            lambda: room.now_s,
            room.try_light,
        )
        application = web.Application()
        application.add_routes(control.routes())
        async with TestServer(application) as server, aiohttp.ClientSession(server.make_url("/")) as session:
            await scenario(session)

    asyncio.run(run())


async def post(session: aiohttp.ClientSession, body: Any, **headers: str) -> tuple[int, JsonObject]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with session.post("/api/state", json=body, headers=named) as answer:
        return answer.status, await answer.json()


def test_the_state_is_read_changed_and_numbered() -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        assert await post(session, {"tempo": 140}) == (200, {"tempo": 140, "revision": 1})
        async with session.get("/api/state") as answer:
            assert await answer.json() == {"tempo": 140, "revision": 1}
            assert answer.headers["ETag"].startswith('"1-')

    asked(Tempo(), scenario)


def test_a_change_of_an_older_state_is_a_conflict_and_shows_the_present_one() -> None:
    room = Tempo()

    async def scenario(session: aiohttp.ClientSession) -> None:
        async with session.get("/api/state") as answer:
            tag = answer.headers["ETag"]
        assert (await post(session, {"tempo": 90}, If_Match=tag))[0] == 200
        status, body = await post(session, {"tempo": 91}, If_Match=tag)
        assert (status, body["tempo"]) == (409, 90)
        assert (await post(session, {"tempo": 91}, If_Match='"0"'))[0] == 409
        assert (await post(session, {"tempo": 91}, If_Match='"1"'))[0] == 200

    asked(room, scenario)
    assert room.changes == [90, 91]


def test_a_repeated_request_is_answered_and_not_done_again() -> None:
    room = Tempo()

    async def scenario(session: aiohttp.ClientSession) -> None:
        first = await post(session, {"tempo": 90}, Idempotency_Key="a")
        assert await post(session, {"tempo": 100}, Idempotency_Key="b") == (200, {"tempo": 100, "revision": 2})
        assert await post(session, {"tempo": 90}, Idempotency_Key="a") == first
        assert (await post(session, {"tempo": 91}, Idempotency_Key="a"))[0] == 422
        room.now_s = KEYS_KEPT_S + 1
        assert (await post(session, {"tempo": 91}, Idempotency_Key="a"))[0] == 200

    asked(room, scenario)
    assert room.changes == [90, 100, 91]


def test_what_was_refused_is_tried_again_under_the_same_key() -> None:
    room = Tempo(ours=False)

    async def scenario(session: aiohttp.ClientSession) -> None:
        assert (await post(session, {"tempo": 90}, Idempotency_Key="a"))[0] == 403
        room.ours = True
        assert (await post(session, {"tempo": 90}, Idempotency_Key="a"))[0] == 200

    asked(room, scenario)
    assert room.changes == [90]


def test_keys_are_kept_in_a_bounded_number() -> None:
    room = Tempo()

    async def scenario(session: aiohttp.ClientSession) -> None:
        for number in range(MOST_KEYS + 1):
            await post(session, {"tempo": 90}, Idempotency_Key=str(number))
        done = len(room.changes)
        await post(session, {"tempo": 90}, Idempotency_Key="1")
        assert len(room.changes) == done
        await post(session, {"tempo": 90}, Idempotency_Key="0")
        assert len(room.changes) == done + 1

    asked(room, scenario)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[broken"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(headers: dict[str, str]) -> None:
    room = Tempo()

    async def scenario(session: aiohttp.ClientSession) -> None:
        assert (await post(session, {"tempo": 90}, **headers))[0] == 403

    asked(room, scenario)
    assert not room.changes


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"tempo": 90}', "text/plain", 415),
        (b"tempo=90", "application/x-www-form-urlencoded", 415),
        (b'{"tempo": 1}{', "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"tempo": "fast"}', "application/json", 400),
        (b'{"tempo": 90, "tempo": 91}', "application/json", 400),
        (b'{"x": "' + b"x" * 20_000 + b'"}', "application/json", 400),
    ],
)
def test_what_is_no_change_is_refused_with_a_reason(body: bytes, content_type: str, status: int) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        async with session.post("/api/state", data=body, headers={"Content-Type": content_type}) as answer:
            assert answer.status == status
            assert (await answer.json())["error"]

    asked(Tempo(), scenario)


def test_what_only_the_host_may_change_is_forbidden() -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        status, body = await post(session, {"tempo": 90})
        assert status == 403
        assert "only the host" in body["error"]

    asked(Tempo(ours=False), scenario)


def test_leaving_is_asked_for_and_sessions_are_listed() -> None:
    room = Tempo()

    async def scenario(session: aiohttp.ClientSession) -> None:
        for _ in range(2):  # a second signal would end the process at once
            async with session.post("/api/leave", json={}) as answer:
                assert answer.status == 202
        async with session.get("/api/sessions", params={"limit": "5"}) as answer:
            (session_,) = (await answer.json())["sessions"]
            assert session_["state"].keys() == {"music", "hardware"}
        async with session.get("/api/sessions", params={"brief": "1"}) as answer:
            assert (await answer.json())["sessions"] == [{"id": "ABC123", "state": {"music": {"tempo": 90}}}]
        async with session.get("/api/sessions", params={"limit": "-1"}) as answer:
            assert answer.status == 400

    asked(room, scenario)
    assert room.left == 1


def test_volumes_are_read_and_changed_and_nonsense_is_refused() -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        async with session.post("/api/audio", json={"masterVolume": 0.5}) as answer:
            assert (answer.status, await answer.json()) == (200, {"masterVolume": 0.5})
        async with session.get("/api/audio") as answer:
            assert await answer.json() == {"masterVolume": 0.5}
        async with session.post("/api/audio", json={"tempo": 90}) as answer:
            assert (answer.status, await answer.json()) == (400, {"error": "give masterVolume"})

    asked(Tempo(), scenario)


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"controller": "Stage", "pattern": "identify"}, 202),
        ({"controller": "Stage"}, 400),
        ({"controller": "Hall", "pattern": "identify"}, 409),
    ],
)
def test_a_controller_is_tried_or_it_is_said_why_not(wanted: JsonObject, status: int) -> None:
    async def scenario(client: aiohttp.ClientSession) -> None:
        async with client.post("/api/light/try", json=wanted) as answer:
            assert answer.status == status
            said = await answer.json()
            assert said == wanted or said["error"]

    asked(Tempo(), scenario)


def test_the_light_is_changed_within_what_the_configuration_allows() -> None:
    lighting = Lighting(Config())

    async def scenario() -> None:
        control = Control(
            Room(Tempo, lambda _: None, lambda: None, Tempo().sessions, dict, Tempo().resume),
            Adjustable(dict, lambda _: None),
            lighting=Adjustable(lighting.describe, lighting.change),
        )
        application = web.Application()
        application.add_routes(control.routes())
        async with TestServer(application) as server, aiohttp.ClientSession(server.make_url("/")) as session:
            async with session.post("/api/light", json={"effect": "scroll", "brightness": 0.25}) as answer:
                assert (answer.status, (await answer.json())["effect"]) == (200, "scroll")
            async with session.post("/api/light", json={"flashes_per_s": 30}) as answer:
                assert answer.status == 400
                assert "cannot be changed here" in (await answer.json())["error"]
            for nonsense in ({"brightness": 9}, {"brightness": "0.5"}, {"attack": True}, {"zones": [{"start": 1.5}]}):
                async with session.post("/api/light", json=nonsense) as answer:
                    assert answer.status == 400, nonsense
            async with session.get("/api/light") as answer:
                assert (await answer.json())["brightness"] == 0.25

    asyncio.run(scenario())
    assert (lighting.settings.value.effect, lighting.settings.value.brightness) == ("scroll", 0.25)


def test_a_session_is_resumed_once_and_what_is_none_is_refused() -> None:
    async def scenario(client: aiohttp.ClientSession) -> None:
        for wanted, status in (({"id": "?"}, 400), ({}, 400), ({"id": "OTHER1"}, 404), ({"id": "ABC123"}, 202)):
            async with client.post("/api/sessions/resume", json=wanted) as answer:
                assert answer.status == status
        async with client.post("/api/sessions/resume", json={"id": "ABC123"}) as answer:
            assert answer.status == 409

    asked(Tempo(), scenario)
