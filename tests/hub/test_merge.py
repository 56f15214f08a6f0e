"""Two hubs on one network become one, and nothing that is only announced ends a hub."""

import asyncio
import json
import secrets
import signal
import time
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.config import HubConfig
from jambridge.edges import Latest
from jambridge.errors import LinkError
from jambridge.hub import advertising
from jambridge.hub.candidates import PROVEN_S, Candidates
from jambridge.hub_host import ForeignHub, HubAddress, OwnHub, open_hub
from jambridge.room.announce import Hub, announce, find_hubs
from tests.hub.live import TOPIC, Member, live_hub
from tests.hub.test_process import Here, process, said
from tests.hub.test_socketio import Player

PATIENCE_S = 60.0
PORTS = ("--port", "0", "--tls-port", "0", "--advertise")
OWN = Hub("m", (), 1, 2)


def low() -> str:
    return f"0000{secrets.token_hex(6)}"


def high() -> str:
    return f"zzzz{secrets.token_hex(6)}"


def hub(id_: str, *, stays: bool = False, port: int = 9) -> Hub:
    return Hub(id_, ("10.0.0.7",), port, 9, stays=stays)


def proven(candidates: Candidates, other: Hub) -> Hub | None:
    """Seen, and answering for as long as it takes."""
    candidates.seen(other, 0.0)
    candidates.asked(other, 0.0, answers=True)
    candidates.asked(other, PROVEN_S, answers=True)
    return candidates.chosen(PROVEN_S)


def test_only_who_outranks_us_stays() -> None:
    assert proven(Candidates(OWN), hub("a")) == hub("a")
    assert proven(Candidates(OWN), hub("z")) is None
    assert proven(Candidates(OWN), hub("m")) is None
    assert proven(Candidates(OWN), hub("z", stays=True)) == hub("z", stays=True)
    assert proven(Candidates(Hub("m", (), 1, 2, stays=True)), hub("a")) is None


def test_who_was_announced_and_never_answers_is_never_chosen() -> None:
    candidates = Candidates(OWN)
    for now_s in range(600):
        candidates.seen(hub("a"), now_s)
        for due in candidates.due(now_s):
            candidates.asked(due, now_s, answers=False)
        assert candidates.chosen(now_s) is None


def test_one_miss_begins_the_proof_anew() -> None:
    candidates = Candidates(OWN)
    candidates.seen(hub("a"), 0.0)
    for now_s, answers in ((0.0, True), (8.0, True), (9.0, False), (11.0, True), (20.0, True)):
        candidates.asked(hub("a"), now_s, answers=answers)
        assert candidates.chosen(now_s) is None
    assert candidates.chosen(21.0) == hub("a")


def test_another_address_proves_itself_anew() -> None:
    candidates = Candidates(OWN)
    assert proven(candidates, hub("a")) == hub("a")
    candidates.seen(hub("a", port=10), PROVEN_S)
    assert candidates.chosen(PROVEN_S) is None


@given(st.lists(st.tuples(st.sampled_from("bcdefghijkl"), st.booleans()), max_size=80))
def test_the_lowest_of_those_that_answer_is_chosen_whatever_is_announced(seen: list[tuple[str, bool]]) -> None:
    candidates = Candidates(OWN)
    proven(candidates, hub("aa"))
    for number, (id_, stays) in enumerate(seen):
        candidates.seen(hub(f"{id_}{number}", stays=stays), PROVEN_S)
    assert candidates.chosen(PROVEN_S) == hub("aa")
    assert len(candidates.due(1e9)) <= 16


def test_everybody_is_told_where_the_other_is_and_sent_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        with process(tmp_path / "high", *PORTS, "--hub-id", high()) as losing:
            ours = Here(said(losing)["port"])
            async with Member.joined(ours, "a") as member, Player.connected(ours) as player:
                await player.create()
                with process(tmp_path / "low", *PORTS, "--hub-id", low()) as staying:
                    page = f":{said(staying)['tls_port']}"
                    async with asyncio.timeout(PATIENCE_S):
                        told = await member.heard("hub-moved")
                        assert told["page"].startswith("https://")
                        assert told["page"].endswith(page)
                        assert (await player.heard("hub-moved"))["page"] == told["page"]
                        assert await member.closed() == 1012
                    assert losing.wait(PATIENCE_S) == 75
                    assert staying.poll() is None

    asyncio.run(scenario())


def test_a_hub_that_was_told_to_be_one_stays_whatever_its_id(tmp_path: Path) -> None:
    with (
        process(tmp_path / "high", *PORTS, "--hub-id", high(), "--no-make-way") as staying,
        process(tmp_path / "low", *PORTS, "--hub-id", low()) as losing,
    ):
        said(staying)
        assert losing.wait(PATIENCE_S) == 75
        assert staying.poll() is None


@pytest.mark.slow
def test_at_any_time_later_the_other_must_have_answered_for_a_while(tmp_path: Path) -> None:
    """A forged announcement of a lower id leads to ourselves at another address, and to nobody."""

    async def scenario() -> None:
        lowest, forged, nobody = f"0001{secrets.token_hex(6)}", f"0000{secrets.token_hex(6)}", low()
        async with (
            live_hub(tmp_path / "own", hub_id=high()) as own,
            live_hub(tmp_path / "other", hub_id=lowest) as other,
            announce(Hub(forged, ("127.0.0.1",), own.port, own.tls_port)),
            announce(Hub(nobody, ("127.0.0.1",), 9, 9)),
            announce(Hub(lowest, ("127.0.0.1",), other.port, other.tls_port)),
            asyncio.timeout(3 * PATIENCE_S),
        ):
            started_s = time.monotonic()
            us = Hub(f"0002{secrets.token_hex(6)}", (), own.port, own.tls_port)
            page = await advertising.advertise_until_another_stays(us, "127.0.0.1", together_s=0.0)

            assert page == f"https://127.0.0.1:{other.tls_port}"
            assert time.monotonic() - started_s >= PROVEN_S

    asyncio.run(scenario())


def test_a_daemon_whose_hub_dies_opens_its_own_and_merges_when_that_returns(tmp_path: Path) -> None:
    settings = HubConfig(bind="127.0.0.1", port=0, tls_port=0)
    theirs = low()

    async def look(seconds: float) -> list[Hub]:
        return [found for found in await find_hubs(seconds) if found.id == theirs]

    async def scenario() -> None:
        in_force: Latest[HubAddress | None] = Latest(None)
        with process(tmp_path / "theirs", *PORTS, "--hub-id", theirs) as their_hub:
            said(their_hub)
            while not await look(1.0):  # announcing takes its time
                assert their_hub.poll() is None
            async with open_hub(settings, 10, tmp_path / "ours", look, in_force) as found:
                assert isinstance(found, ForeignHub)
                their_hub.send_signal(signal.SIGKILL)
                assert await failure(found) == f"the hub at {found.address.url} is gone"
        (tmp_path / "ours").mkdir(exist_ok=True)
        (tmp_path / "ours" / "hub-id").write_text(high())
        async with open_hub(settings, 10, tmp_path / "ours", look, in_force) as found:
            assert isinstance(found, OwnHub)
            with process(tmp_path / "theirs", *PORTS, "--hub-id", theirs) as their_hub:
                port = said(their_hub)["port"]
                assert "made way" in await failure(found)
                while True:  # an answer by mDNS may be lost: then ours is started, and makes way again
                    async with open_hub(settings, 10, tmp_path / "ours", look, in_force) as again:
                        if isinstance(again, ForeignHub):
                            break
                        assert "made way" in await failure(again)
                assert again.address.url.endswith(f":{port}")

    async def failure(found: ForeignHub | OwnHub) -> str:
        failures: list[BaseException] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                await found.run()
        except* LinkError as errors:
            failures.extend(errors.exceptions)
        (error,) = failures
        return str(error)

    asyncio.run(scenario())


def test_a_frozen_hub_knows_soon_after_who_has_gone(tmp_path: Path) -> None:
    """Frozen longer than it waits for anybody: clients went, or fell silent, and one is still there."""

    async def scenario() -> None:
        options = ("--port", "0", "--tls-port", "0", "--no-advertise", "--idle-s", "3")
        with process(tmp_path, *options) as frozen:
            here = Here(said(frozen)["port"])
            async with Member.joined(here, "went") as went, Member.joined(here, "silent"):
                await track(went, "went")
                frozen.send_signal(signal.SIGSTOP)
                response = went.socket._response
                assert response.connection is not None and response.connection.transport is not None
                response.connection.transport.abort()
                await asyncio.sleep(5)  # so long is it frozen
                frozen.send_signal(signal.SIGCONT)
                async with asyncio.timeout(PATIENCE_S), Member.joined(here, "here") as member:
                    while await members(here) != 1:
                        await member.push("heartbeat", {}, "phoenix")
                        await asyncio.sleep(0.2)
                    await track(member, "here")
                    async with Member.connected(here) as newcomer:
                        await newcomer.join("new")
                        state = await newcomer.next(lambda message: message["event"] == "presence_state")
                        assert list(state["payload"]) == ["here"]

    async def track(member: Member, name: str) -> None:
        ref = await member.push("presence", {"type": "presence", "event": "track", "payload": {"name": name}}, TOPIC)
        await member.reply(ref)

    async def members(here: Here) -> int:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{here.port}/healthz") as answer:
            count: int = json.loads(await answer.text())["members"]
            return count

    asyncio.run(scenario())
