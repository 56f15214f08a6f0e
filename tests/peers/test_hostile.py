"""Offers made to do harm: refused, or a connection that fails quietly, and nobody else notices."""

import asyncio
import gc
import random
from pathlib import Path
from typing import Any

from jambridge.errors import LinkError, WireError
from jambridge.peers import sdp
from jambridge.peers.connection import Connection
from jambridge.peers.ice_servers import IceServers
from jambridge.room.messages import Signal, SignalType
from jambridge.strict_json import JsonObject
from jambridge.units import PeerId
from tests.fakes.switch import Switch, member
from tests.fakes.waiting import until

OFFER = (Path(__file__).parents[1] / "vectors" / "chromium-156-offer.sdp").read_text()


def mutated(rng: random.Random) -> str:
    """An offer with one to four wounds: lines gone, doubled, swapped; numbers, tokens and characters changed."""
    lines = OFFER.splitlines()
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(lines))
        match rng.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, rng.choice(lines))
            case 2:
                lines[at], lines[at - 1] = lines[at - 1], lines[at]
            case 3:
                words = lines[at].split(" ")
                words[rng.randrange(len(words))] = rng.choice(["-1", "0", "65536", "9" * 30, "é", "", "a:b", "IN"])
                lines[at] = " ".join(words)
            case 4:
                cut = rng.randint(0, len(lines[at]))
                lines[at] = lines[at][:cut] + chr(rng.randint(1, 300)) + lines[at][cut + 1 :]
            case _:
                lines[at] = lines[at][: rng.randint(0, len(lines[at]))]
    return "\r\n".join(lines)


def test_three_hundred_mutated_offers_are_refused_or_answered_and_never_a_traceback() -> None:
    rng = random.Random(2)
    unheard_of: list[dict[str, Any]] = []
    refused = answered = 0

    async def scenario() -> None:
        nonlocal refused, answered
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard_of.append(context))
        for _ in range(300):
            try:
                offer = sdp.parse("offer", mutated(rng))
            except WireError:
                refused += 1
                continue
            connection = Connection(IceServers(), None, lambda _: None, lambda _: None, lambda *_: None, receives=True)
            try:
                assert "opus" in await connection.answer(offer)
                answered += 1
            except LinkError:
                refused += 1
            finally:
                await connection.close()
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(scenario())

    assert unheard_of == []
    assert refused + answered == 300
    assert min(refused, answered) > 30


def test_hostile_signals_leave_the_working_connection_alone() -> None:
    rng = random.Random(3)
    unheard_of: list[dict[str, Any]] = []

    def hostile(index: int) -> Signal:
        kind = rng.choice(list(SignalType))
        data: JsonObject = {"type": kind.value, "sdp": mutated(rng), "candidate": mutated(rng)[:600]}
        connection = rng.choice([None, f"hostile{index}"])
        shapes: list[JsonObject | list[JsonObject]] = [data, [data], {}]
        return Signal(kind, PeerId("a"), PeerId("b"), connection, rng.choice(shapes))

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard_of.append(context))
        switch = Switch()
        async with member(switch, "a") as listener, member(switch, "b", 440):
            await until(lambda: listener.hears("b", 440))
            ear = listener.ears[PeerId("b")][0]
            before = ear.frames
            for index in range(300):
                switch.deliver(hostile(index))
                if index % 20 == 0:
                    await asyncio.sleep(0.01)
            await until(lambda: ear.frames > before + 3 * 48_000)
            assert listener.hears("b", 440)
            assert listener.mesh.drops.malformed > 50
            assert len(listener.ears[PeerId("b")]) == 1

    asyncio.run(scenario())

    assert unheard_of == []
